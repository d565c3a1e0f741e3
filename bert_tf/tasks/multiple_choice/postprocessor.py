"""Logits of endings to choices."""

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.metrics import commonest_share
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.raw_inputs import as_python

# N examples, E endings


class MultipleChoicePostprocessor(Postprocessor):
    """The most probable ending, and the probability of each."""

    def __call__(self, outputs: tf.Tensor, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """{"choice": int32 [N], place of an ending from 0; "probability": [N]; "probabilities": [N, E]}.

        Probabilities are float32 and 0 for endings that an example does not have.
        """
        real = tf.reduce_any(inputs[features.INPUT_MASK] > 0, -1)  # [N, E]
        probabilities = tf.where(real, tf.nn.softmax(outputs), 0.0)
        return {
            "choice": tf.argmax(probabilities, -1, tf.int32),
            "probability": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds "ending", the chosen text, and leaves out the probabilities after an example's last ending."""
        for answer, endings in zip(answers, as_python(texts[1]), strict=True):
            answer["ending"] = endings[answer["choice"]]
            while endings and endings[-1] == "":
                endings.pop()
            answer["probabilities"] = answer["probabilities"][: len(endings)]
        return answers

    def compute_metrics(self, answers: list[dict], targets: list) -> dict[str, float]:
        """{"accuracy"} of the choices."""
        return {
            "accuracy": float(np.mean([answer["choice"] == int(t) for answer, t in zip(answers, targets, strict=True)]))
        }

    def constant_score(self, targets: list) -> float:
        """The share of the commonest place of the right ending."""
        return commonest_share([int(target) for target in targets])
