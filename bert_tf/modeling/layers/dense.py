"""Dense layers that start as BERT's do."""

import keras
from keras import ops

from bert_tf.modeling.layers.initializers import truncated_normal


def dense(units, stddev, **kwargs):
    """A dense layer that starts with a truncated normal kernel and a bias of zeros."""
    return Dense(units, kernel_initializer=truncated_normal(stddev), **kwargs)


class Dense(keras.layers.Dense):
    """Keras's, of all rows as one matrix: TensorFlow adds the bias within the product then."""

    def call(self, inputs, training=None):
        rows = super().call(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)
        return ops.reshape(rows, (*ops.shape(inputs)[:-1], self.units))
