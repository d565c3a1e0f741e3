"""Choice of the floating-point format of a run by measurement."""

import functools
import time

import tensorflow as tf

from bert_tf.training.distribution.strategies import agree

_WORTH = 1.3  # required speed-up of bfloat16 in matrix products, because a step has other operations too


def faster(strategy: tf.distribute.Strategy) -> str:
    """The faster Keras dtype policy on this machine, by the workers' mean: "mixed_bfloat16" or "float32"."""
    # The workers' mean, because all must compute in one format.
    gain = agree(strategy, matmul_speed(tf.bfloat16) / matmul_speed(tf.float32))
    return "mixed_bfloat16" if gain > _WORTH else "float32"


@functools.cache
def matmul_speed(dtype: tf.DType, seconds: float = 0.4) -> float:
    """Floating-point operations per second in matrix products of the sizes of BERT base; measured once per process.

    Args:
        dtype: of the matrices.
        seconds: how long to measure; the fastest product counts.
    """
    a, b = tf.random.normal([2048, 768], dtype=tf.float32), tf.random.normal([768, 3072], dtype=tf.float32)
    a, b = tf.cast(a, dtype), tf.cast(b, dtype)
    multiply = tf.function(lambda a, b: tf.reduce_sum(tf.matmul(a, b)[0]))
    float(multiply(a, b))  # traces the function
    # The fastest, because other work on the machine only makes products slower.
    best, end = float("inf"), time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        float(multiply(a, b))
        best = min(best, time.monotonic() - begin)
    return 2 * 2048 * 768 * 3072 / best
