"""Number formats to compute in: found by measurement where the user names none."""

import time

import tensorflow as tf

from bert_tf.training.distribution.strategies import agree

_WORTH = 1.3  # how much faster bfloat16 must be: a step is not of matrix products alone


def faster(strategy):
    """The Keras dtype policy that is faster here, on all workers together: "mixed_bfloat16" or "float32"."""
    gain = agree(strategy, matmul_speed(tf.bfloat16) / matmul_speed(tf.float32))
    return "mixed_bfloat16" if gain > _WORTH else "float32"


def matmul_speed(dtype, seconds=0.4):
    """Floating-point operations a second in products of matrices as large as a training step's, best of some."""
    a, b = tf.random.normal([2048, 768], dtype=tf.float32), tf.random.normal([768, 3072], dtype=tf.float32)
    a, b = tf.cast(a, dtype), tf.cast(b, dtype)
    multiply = tf.function(lambda a, b: tf.reduce_sum(tf.matmul(a, b)[0]))
    float(multiply(a, b))  # traced
    best, end = float("inf"), time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        float(multiply(a, b))
        best = min(best, time.monotonic() - begin)
    return 2 * 2048 * 768 * 3072 / best
