"""Logits of the next sentence head to a probability."""

import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.postprocessor import Postprocessor


class NextSentencePostprocessor(Postprocessor):
    """The probability that the second text follows the first."""

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Logits, float32 [N, 2], to {"probability": float32 [N]}."""
        return {"probability": tf.nn.softmax(outputs)[:, features.IS_NEXT]}
