"""Dense layers with the initial weights of BERT."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.initializers import truncated_normal


def dense(units: int, stddev: float, **kwargs: Any) -> "Dense":
    """A dense layer whose kernel is initially truncated normal with `stddev`, and its bias zero."""
    return Dense(units, kernel_initializer=truncated_normal(stddev), **kwargs)


class Dense(keras.layers.Dense):
    """Keras's dense layer on one matrix of all vectors: TensorFlow then adds the bias within the product."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """[..., D] to [..., units]."""
        vectors = super().call(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)  # [B * S, units]
        return ops.reshape(vectors, (*ops.shape(inputs)[:-1], self.units))  # [..., units]
