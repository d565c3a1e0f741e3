"""Dense layers with the initial weights of BERT."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.initializers import truncated_normal


def dense(units: int, stddev: float, **kwargs: Any) -> "Dense":
    """A dense layer whose kernel is initially truncated normal with `stddev`, and its bias zero."""
    return Dense(units, kernel_initializer=truncated_normal(stddev), **kwargs)


@keras.saving.register_keras_serializable("bert_tf")
class Dense(keras.layers.Dense):
    """Keras's dense layer on one matrix of all vectors: TensorFlow then adds the bias within the product."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """[..., D] to [..., units]."""
        if len(inputs.shape) == 2:
            return super().call(inputs, training=training)
        vectors = super().call(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)  # [B * S, units]
        return ops.reshape(vectors, (*ops.shape(inputs)[:-1], self.units))  # [..., units]

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """As Keras's, which refuses subclasses unless told not to."""
        super().quantize(mode, type_check=False, config=config)


@keras.saving.register_keras_serializable("bert_tf")
class Embedding(keras.layers.Embedding):
    """Keras's layer, whose table stays as it is when a model is quantized: others multiply with it too."""

    def quantize(self, mode: str | None = None, type_check: bool = True, config: Any = None) -> None:
        """Does nothing."""
