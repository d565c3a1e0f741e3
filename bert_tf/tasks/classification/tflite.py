"""TFLite outputs of classifiers: probabilities of classes or labels, or a score."""

import tensorflow as tf

from bert_tf.export.tflite_outputs import TFLiteOutputs, named, softmax_probabilities
from bert_tf.tasks.classification.task import TextClassifier

_MARGIN = 1e-7  # of a probability from 0 and 1, so that its logit is finite


def tflite_outputs(model: TextClassifier) -> TFLiteOutputs:
    """Outputs "probabilities" [N, C] of a classifier, "score" [N, 1] of a regression."""
    kinds = {
        "single_label_classification": softmax_probabilities(),
        "multi_label_classification": TFLiteOutputs(_sigmoid, _logit),
        "regression": named("score"),
    }
    return kinds[model.problem_type]


def _sigmoid(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"probabilities": tf.sigmoid(logits)}


def _logit(outputs: dict[str, tf.Tensor]) -> tf.Tensor:
    probabilities = tf.clip_by_value(outputs["probabilities"], _MARGIN, 1 - _MARGIN)
    return tf.math.log(probabilities) - tf.math.log1p(-probabilities)
