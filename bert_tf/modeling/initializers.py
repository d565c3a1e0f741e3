"""How BERT's weights start: a normal distribution cut at two standard deviations."""

import keras
from keras import ops


def truncated_normal(stddev):
    """A new truncated normal initializer; each weight needs one of its own, or equal shapes would start equal."""
    return keras.initializers.TruncatedNormal(stddev=stddev)


def dense(units, stddev, **kwargs):
    """A dense layer that starts as BERT's do: truncated normal kernel, zero bias."""
    return Dense(units, kernel_initializer=truncated_normal(stddev), **kwargs)


class Dense(keras.layers.Dense):
    """Keras's, of all rows as one matrix: TensorFlow adds the bias within the product then."""

    def call(self, inputs, training=None):
        rows = super().call(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)
        return ops.reshape(rows, (*ops.shape(inputs)[:-1], self.units))
