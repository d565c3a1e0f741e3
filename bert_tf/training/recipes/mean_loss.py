"""The loss of a task model on examples, measured without training."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf


def loss_sums(losses: list, outputs: Any, y: Any, weights: Any = None) -> tf.Tensor:
    """The sum and the number of targets of each loss over a batch, float32 [losses, 2].

    Args:
        losses: flat list, of the outputs in their order; each is a weighted mean over the targets of a batch.
        outputs: what the model's `call` returns.
        y: the targets, of the same structure.
        weights: of the targets, of the same structure; None: all count the same.
    """
    targets, outputs = keras.tree.flatten(y), keras.tree.flatten(outputs)
    counts = [tf.ones(tf.shape(target)[:1]) for target in targets]
    if weights is not None:
        counts = keras.tree.flatten(weights)
    parts = []
    for loss, target, output, count in zip(losses, targets, outputs, counts, strict=True):
        size = tf.reduce_sum(tf.cast(count, tf.float32))
        parts.append([loss(target, output, count) * size, size])
    return tf.convert_to_tensor(parts)


class MeanLoss:
    """The mean loss of a task model over examples, per target, and over its losses; each call measures it again.

    Args:
        model: of a task; its default losses are weighted means over the targets of a batch.
        examples: what `preprocessor.prepare` made of texts and targets.
    """

    def __init__(self, model: keras.Model, examples: Any):
        self.data = model.dataset(examples)
        losses = keras.tree.flatten(model.default_loss())

        def sums(x: Any, y: Any, weights: Any = None) -> tf.Tensor:
            return loss_sums(losses, model(x, training=False), y, weights)

        self.sums = tf.function(sums, input_signature=self.data.element_spec, autograph=False)

    def __call__(self) -> float:
        total = np.zeros(2)
        for batch in self.data:
            total = total + self.sums(*batch).numpy().astype("float64")
        return float((total[..., 0] / np.maximum(total[..., 1], 1e-9)).mean())
