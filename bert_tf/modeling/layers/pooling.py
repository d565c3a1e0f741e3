"""From a vector a piece to the vectors that a head needs."""

from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.id_checks import check_ids

# B batch, S sequence, P positions, D hidden


def gather_positions(sequence, positions):
    """Rows of `sequence` [B, S, D] at `positions` [B, P]: [B, P, D].

    A product with one-hot rows is exact in every dtype, and its gradient is a product again instead of a scatter.
    """
    length = ops.shape(sequence)[1]
    check_ids("positions", positions, length)
    one_hot = ops.one_hot(positions, length, dtype=sequence.dtype)  # [B, P, S]
    return ops.matmul(one_hot, sequence)


def pool(sequence, mask, pooling):
    """One vector a row, in float32: [B, S, D] and the mask [B, S] (1 = real) to [B, D].

    `pooling` is "cls" (the first piece), "mean" or "max" over the real pieces, special tokens among them (Reimers and
    Gurevych 2019, section 3). A row without a real piece gives zeros for the mean.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"Received: pooling={pooling!r}. Known poolings: {', '.join(POOLINGS)}.")
    real = ops.expand_dims(ops.cast(mask, "float32"), -1)  # [B, S, 1]
    return POOLINGS[pooling](ops.cast(sequence, "float32"), real)


def normalize(vectors):
    """Vectors [..., D] of length 1, float32; a vector of zeros stays one."""
    vectors = ops.cast(vectors, "float32")
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), -1, keepdims=True), 1e-24))


def _mean(sequence, real):
    return ops.sum(sequence * real, 1) / ops.maximum(ops.sum(real, 1), 1e-9)


def _max(sequence, real):
    return ops.max(ops.where(real > 0, sequence, -1e9), 1)


POOLINGS = {"cls": lambda sequence, real: sequence[:, 0], "mean": _mean, "max": _max}
