"""Cross-entropy over a vocabulary, the only loss that takes a noticeable share of a step.

Its plain reference is in plain_ops.py; that of `accuracy` is Keras's metric. Tests compare them.
"""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.ops.xla import fused, row_sums

# N targets, V vocabulary


@keras.saving.register_keras_serializable("bert_tf")
class SparseCrossEntropy(keras.losses.Loss):
    """As Keras's sparse cross-entropy from logits [..., V] and ids [...], in fewer passes over the logits."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses, float32 [...], of ids `y_true` [...] and float32 logits `y_pred` [..., V]."""
        logits = ops.reshape(y_pred, (-1, y_pred.shape[-1]))  # [N, V]
        return ops.reshape(cross_entropy(logits, ops.reshape(y_true, (-1,))), ops.shape(y_pred)[:-1])


def cross_entropy(logits: Any, ids: Any) -> Any:
    """-log(softmax(logits)[ids]): float32 [N, V] and integer [N] to float32 [N]."""
    ids = ops.expand_dims(ops.cast(ids, "int32"), -1)  # [N, 1]

    @ops.custom_gradient
    def compute(logits):
        # The greatest logit is taken off before exp, which would overflow, and added to the logarithm again.
        greatest = ops.max(logits, -1, keepdims=True)  # [N, 1]
        log_sums = greatest + ops.log(_sums_of_exp(logits, greatest))  # [N, 1]

        def gradient(upstream):
            return _gradient(logits, log_sums, ids, ops.expand_dims(upstream, -1))

        return ops.squeeze(log_sums - ops.take_along_axis(logits, ids, -1), -1), gradient

    return compute(logits)


@fused
def _sums_of_exp(logits, greatest):
    return row_sums(ops.exp(logits - greatest))


@fused
def _gradient(logits, log_sums, ids, upstream):
    """(softmax(logits) - one_hot(ids)) * upstream: [N, V]."""
    targets = ops.equal(ops.arange(logits.shape[-1], dtype="int32"), ids)  # [N, V]
    return (ops.exp(logits - log_sums) - ops.cast(targets, logits.dtype)) * upstream


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1.0 where the first of the largest of logits [..., V] is at the id [...] or [..., 1], else 0.0; float32 [...].

    Keras's metric makes five more passes over the logits, to distinguish -0.0 from 0.0.
    """
    ids = ops.reshape(ops.cast(y_true, "int32"), (*ops.shape(y_pred)[:-1], 1))
    return ops.cast(_is_greatest(y_pred, ops.take_along_axis(y_pred, ids, -1), ids), "float32")


@keras.saving.register_keras_serializable("bert_tf")
class Accuracy(keras.metrics.MeanMetricWrapper):
    """The mean of `accuracy`."""

    def __init__(self, name: str = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"name": self.name, "dtype": self.dtype}


@fused
def _is_greatest(logits, own, ids):
    later = ops.arange(logits.shape[-1], dtype="int32") >= ids  # [..., V]
    return ops.all(ops.logical_or(logits < own, ops.logical_and(logits == own, later)), -1)
