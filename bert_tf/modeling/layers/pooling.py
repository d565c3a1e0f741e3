"""Pooling of token vectors."""

from typing import Any

from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.id_checks import check_ids

# B batch, S sequence, P positions, D hidden


def gather_positions(sequence: Any, positions: Any) -> Any:
    """The vectors of `sequence` [B, S, D] at `positions` [B, P]: [B, P, D].

    A product with one-hot vectors is exact in every dtype, and its gradient is a product again instead of a scatter.
    """
    length = ops.shape(sequence)[1]
    check_ids("positions", positions, length)
    one_hot = ops.one_hot(positions, length, dtype=sequence.dtype)  # [B, P, S]
    return ops.matmul(one_hot, sequence)


def pool(sequence: Any, mask: Any, pooling: str) -> Any:
    """One float32 vector per sequence: [B, S, D] and the mask [B, S] (1 = real token) to [B, D].

    `pooling` is "cls" (the first token), "mean" or "max" over the real tokens, special ones included (Reimers and
    Gurevych 2019, section 3); another one raises `ConfigError`. A sequence without real tokens has a mean of zeros.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"Received: pooling={pooling!r}. Known poolings: {', '.join(POOLINGS)}.")
    real = ops.expand_dims(ops.cast(mask, "float32"), -1)  # [B, S, 1]
    return POOLINGS[pooling](ops.cast(sequence, "float32"), real)


def normalize(vectors: Any) -> Any:
    """The vectors [..., D] scaled to length 1, float32; a vector of zeros stays zero."""
    vectors = ops.cast(vectors, "float32")
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), -1, keepdims=True), 1e-24))


def _mean(sequence, real):
    return ops.sum(sequence * real, 1) / ops.maximum(ops.sum(real, 1), 1e-9)


def _max(sequence, real):
    return ops.max(ops.where(real > 0, sequence, -1e9), 1)


POOLINGS = {"cls": lambda sequence, real: sequence[:, 0], "mean": _mean, "max": _max}
