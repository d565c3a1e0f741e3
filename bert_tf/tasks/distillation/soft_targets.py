"""Losses against a teacher's outputs, softened by a temperature (Hinton et al. 2015)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GlobalMean

# N examples, C classes, W rows, S positions of a row


@keras.saving.register_keras_serializable("bert_tf")
class SoftClasses(keras.losses.Loss):
    """T^2 KL(teacher || student) of distributions over the last axis: [..., C] to [...].

    The teacher's are probabilities at the temperature T, the student's outputs are logits.
    """

    def __init__(self, temperature: float, name: str = "soft_classes", **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The divergence at each place, without any mean."""
        log_student = ops.log_softmax(y_pred / self.temperature)
        return self.temperature**2 * ops.sum(y_true * (_log(y_true) - log_student), -1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {"name": self.name, "temperature": self.temperature}


@keras.saving.register_keras_serializable("bert_tf")
class SoftLabels(SoftClasses):
    """The same for a sigmoid per label, as the mean over the labels: [..., C] to [...]."""

    def __init__(self, temperature: float, name: str = "soft_labels", **kwargs: Any):
        super().__init__(temperature, name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The divergence at each place, without any mean over places."""
        logits = y_pred / self.temperature
        yes = y_true * (_log(y_true) - ops.log_sigmoid(logits))
        no = (1 - y_true) * (_log(1 - y_true) - ops.log_sigmoid(-logits))
        return self.temperature**2 * ops.mean(yes + no, -1)


@keras.saving.register_keras_serializable("bert_tf")
class OutputAsLoss(keras.losses.Loss):
    """An output of a model that is a loss itself, one per example; its targets are not read."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The output."""
        del y_true
        return y_pred


def soft_loss(loss: GlobalMean, temperature: float) -> GlobalMean:
    """The loss against a teacher's outputs for outputs that learn labels by `loss`.

    Raises:
        ConfigError: `loss` is none for classes, labels or scores.
    """
    kinds = {
        keras.losses.SparseCategoricalCrossentropy: SoftClasses(temperature),
        keras.losses.BinaryCrossentropy: SoftLabels(temperature),
        keras.losses.MeanSquaredError: keras.losses.MeanSquaredError(),
    }
    inner = getattr(loss, "loss", loss)
    if type(inner) not in kinds:
        raise ConfigError(f"Received: a student that learns by {type(inner).__name__}, which cannot be distilled.")
    return GlobalMean(kinds[type(inner)])


def soften(logits: Any, loss: GlobalMean) -> Any:
    """A teacher's logits as the targets of the loss that `soft_loss` returned.

    Args:
        logits: float32 [N, C]; ragged [W, (S), C] for classes of each token; ragged [W, (S)] for classes that are the
            positions of a row.
        loss: as from `soft_loss`, with the temperature T.

    Returns:
        Probabilities at T, or scores unchanged, in the form of `logits`.
    """
    values = logits.flat_values if isinstance(logits, tf.RaggedTensor) else tf.convert_to_tensor(logits)
    if isinstance(loss.loss, SoftLabels):
        values = tf.sigmoid(values / loss.loss.temperature)
    elif isinstance(loss.loss, SoftClasses):
        if values.shape.rank == 1:
            values = _softmax_of_rows(values / loss.loss.temperature, logits.value_rowids(), logits.nrows())
        else:
            values = tf.nn.softmax(values / loss.loss.temperature)
    return logits.with_flat_values(values) if isinstance(logits, tf.RaggedTensor) else values


def _softmax_of_rows(values: tf.Tensor, rows: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """The softmax over the values of each row; `rows` has the row of each value, in ascending order."""
    greatest = tf.math.unsorted_segment_max(values, rows, count)
    exponents = tf.exp(values - tf.gather(greatest, rows))
    return exponents / tf.gather(tf.math.unsorted_segment_sum(exponents, rows, count), rows)


def _log(probabilities: Any) -> Any:
    """The logarithm, finite at 0, where a factor of 0 makes it count nothing."""
    return ops.log(ops.maximum(probabilities, np.finfo("float32").tiny))
