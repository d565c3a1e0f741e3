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
    """As Keras's sparse cross-entropy from logits [..., V] and ids [...], in fewer passes over the logits.

    Args:
        label_smoothing: share of the target that is spread evenly over all V ids (Szegedy et al. 2016, section 7).
    """

    def __init__(self, label_smoothing: float = 0.0, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses, float32 [...], of ids `y_true` [...] and float32 logits `y_pred` [..., V]."""
        logits = ops.reshape(y_pred, (-1, y_pred.shape[-1]))  # [N, V]
        losses = cross_entropy(logits, ops.reshape(y_true, (-1,)), self.label_smoothing)  # [N]
        return ops.reshape(losses, ops.shape(y_pred)[:-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        smoothing = {"label_smoothing": self.label_smoothing} if self.label_smoothing else {}
        return super().get_config() | smoothing


def cross_entropy(logits: Any, ids: Any, smoothing: float = 0.0) -> Any:
    """-log(softmax(logits)[ids]): float32 [N, V] and integer [N] to float32 [N].

    With `smoothing`, (1 - smoothing) times that, and smoothing times the mean of -log(softmax(logits)) over V.
    """
    ids = ops.expand_dims(ops.cast(ids, "int32"), -1)  # [N, 1]

    @ops.custom_gradient
    def compute(logits):
        # The greatest logit is taken off before exp, which would overflow, and added to the logarithm again.
        greatest = ops.max(logits, -1, keepdims=True)  # [N, 1]
        log_sums = greatest + ops.log(_sums_of_exp(logits, greatest))  # [N, 1]

        def gradient(upstream):
            return _gradient(logits, log_sums, ids, ops.expand_dims(upstream, -1), smoothing)

        target_logits = ops.take_along_axis(logits, ids, -1)  # [N, 1]
        if smoothing:
            target_logits = (1 - smoothing) * target_logits + smoothing * ops.mean(logits, -1, keepdims=True)
        return ops.squeeze(log_sums - target_logits, -1), gradient

    return compute(logits)


@fused
def _sums_of_exp(logits, greatest):
    return row_sums(ops.exp(logits - greatest))


@fused
def _gradient(logits, log_sums, ids, upstream, smoothing):
    """(softmax(logits) - smoothed one_hot(ids)) * upstream: [N, V]."""
    size = logits.shape[-1]
    targets = ops.cast(ops.equal(ops.arange(size, dtype="int32"), ids), logits.dtype)  # [N, V]
    if smoothing:
        targets = (1 - smoothing) * targets + smoothing / size
    return (ops.exp(logits - log_sums) - targets) * upstream


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


@keras.saving.register_keras_serializable("bert_tf")
class BinaryCrossEntropy(keras.losses.Loss):
    """As Keras's binary cross-entropy from logits, with a loss for each: Keras averages over the last axis."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses, float32 [...], of labels 0 or 1 [...] and float32 logits [...]."""
        return ops.binary_crossentropy(ops.cast(y_true, y_pred.dtype), y_pred, from_logits=True)
