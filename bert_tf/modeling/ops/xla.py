"""Loops over the elements of large tensors, compiled into one pass over memory."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

SMALLEST = 2**17  # elements; fewer take less time than the start of a compiled loop


def fused(function: Callable) -> Callable:
    """Decorator: `function` of tensors and Python numbers, compiled by XLA where it saves time.

    It does under TensorFlow, which makes one pass over memory per operation, for large tensors of known shape; each
    shape is compiled once. JAX compiles whole steps itself. The result is not differentiable: gradients are written
    with such functions.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    compiled = tf.function(function, jit_compile=True, autograph=False)

    @functools.wraps(function)
    def call(*args):
        tensors = [arg for arg in args if tf.is_tensor(arg)]
        for tensor in tensors:
            if not tensor.shape.is_fully_defined():
                return function(*args)
        if max(math.prod(tensor.shape) for tensor in tensors) < SMALLEST:
            return function(*args)
        # Without stop_gradient an outer GradientTape would record every intermediate.
        stopped = [tf.stop_gradient(arg) if tf.is_tensor(arg) else arg for arg in args]
        return compiled(*stopped)

    return call


def row_sums(x: Any) -> Any:
    """Sums over the last axis: [..., D] to [..., 1]."""
    if not _on_cpu():
        return ops.sum(x, -1, keepdims=True)
    # XLA adds the terms of a sum one by one on a CPU; a product takes half as long. A GPU would round its factors.
    rows = ops.reshape(x, (-1, x.shape[-1]))  # [rows, D]
    sums = ops.matmul(rows, ops.ones((x.shape[-1], 1), x.dtype))
    return ops.reshape(sums, (*ops.shape(x)[:-1], 1))


def column_sums(x: Any) -> Any:
    """Sums over all axes but the last: [..., D] to [D]."""
    rows = ops.reshape(x, (-1, x.shape[-1]))  # [rows, D]
    if not _on_cpu():
        return ops.sum(rows, 0)
    return ops.matmul(ops.ones((1, ops.shape(rows)[0]), x.dtype), rows)[0]  # as in `row_sums`


@functools.cache
def _on_cpu():
    """Whether TensorFlow is the backend and has only CPUs."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return {device.device_type for device in tf.config.list_physical_devices()} == {"CPU"}
