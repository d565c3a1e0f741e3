"""The loss of each example by itself."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# B examples of a batch, N examples, S positions of a row


def example_losses(losses: Any, y: Any, y_pred: Any, weights: Any) -> tf.Tensor:
    """The loss of each example, float32 [B]: the sum over its losses of the mean over its targets, as weighted.

    Args:
        losses: `GlobalMean`s, as a task model's `default_loss` returns them.
        y, y_pred: targets and outputs, in the structure of `losses`.
        weights: of the targets, [B] or [B, S]. Targets of weight 0 are none.
    """
    total = tf.zeros(())
    parts = map(keras.tree.flatten, (losses, y, y_pred, weights))
    for loss, target, output, weight in zip(*parts, strict=True):
        values = tf.reshape(loss.call(target, output), tf.shape(weight))
        weight = tf.cast(weight, tf.float32)
        axes = list(range(1, weight.shape.rank))
        count = tf.reduce_sum(tf.cast(weight != 0, tf.float32), axes)
        total += tf.reduce_sum(values * weight, axes) / tf.maximum(count, 1.0)
    return total


def weights_of(model: keras.Model, y: Any, sample_weight: Any = None) -> Any:
    """The weights of the targets of a batch, in their structure: those given, or a task model's default ones."""
    return keras.tree.map_structure(model.default_weights, y) if sample_weight is None else sample_weight


def measure_losses(model: Any, texts: Any, targets: Any) -> np.ndarray:
    """The loss of each of N examples without dropout, float32 [N]; of each window, where a task trains on windows.

    Raises:
        InputError: a text or target is bad; names its row.
    """
    data = model.dataset(texts, targets, 64)
    losses = model.default_loss()

    def of_batch(x: Any, y: Any, weights: Any = None) -> tf.Tensor:
        return example_losses(losses, y, model(x, training=False), weights_of(model, y, weights))

    graph = tf.function(of_batch, input_signature=data.element_spec, autograph=False)
    return np.concatenate([graph(*batch).numpy() for batch in data])
