"""Loops over the elements of large tensors, compiled into one pass over memory."""

import functools
import math

import keras
from keras import ops

SMALLEST = 2**17  # elements: fewer are through before a compiled loop has begun


def fused(function):
    """`function` of tensors and Python numbers, compiled by XLA where it pays.

    That is under TensorFlow, which makes a pass over memory for each operation; for known shapes, because each is
    compiled anew; and for large ones. JAX compiles whole steps itself. It is not to be differentiated: gradients are
    written with it.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*args):
        shapes = [arg.shape for arg in args if tf.is_tensor(arg)]
        known = all(shape.is_fully_defined() for shape in shapes)
        if not known or max(map(math.prod, shapes)) < SMALLEST:
            return function(*args)
        # Or whoever is differentiating would be given all that is computed inside.
        return compiled(*[tf.stop_gradient(arg) if tf.is_tensor(arg) else arg for arg in args])

    return call


def row_sums(x):
    """Sums over the last axis: [..., D] to [..., 1]."""
    if not _on_cpu():
        return ops.sum(x, -1, keepdims=True)
    # For a sum XLA adds the terms one after the other; a product takes half as long. A GPU would round its factors.
    return ops.matmul(x, ops.ones((x.shape[-1], 1), x.dtype))


def column_sums(x):
    """Sums over all axes but the last: [..., D] to [D]."""
    rows = ops.reshape(x, (-1, x.shape[-1]))
    return ops.sum(rows, 0) if not _on_cpu() else ops.matmul(ops.ones((1, ops.shape(rows)[0]), x.dtype), rows)[0]


@functools.cache
def _on_cpu():
    """Whether TensorFlow computes, and has nothing but CPUs to do it."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return {device.device_type for device in tf.config.list_physical_devices()} == {"CPU"}
