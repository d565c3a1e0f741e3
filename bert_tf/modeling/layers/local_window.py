"""Attention in a window, by chunks: each chunk of the sequence sees itself and its two neighbours."""

from typing import Any

from keras import ops

from bert_tf.modeling.layers.attention_mask import score_bias

# B batch, S sequence, N heads, H head size, W width of a chunk, C chunks = ceil(S / W)


def split_chunks(x: Any, width: int) -> Any:
    """[B, N, S, H] to chunks [B * C, N, W, H]; the last one is filled up with zeros."""
    x = _pad(x, 2, 0, -ops.shape(x)[2] % width)  # [B, N, C * W, H]
    batch, heads, length, size = ops.shape(x)
    x = ops.reshape(x, (batch, heads, length // width, width, size))
    return ops.reshape(ops.transpose(x, (0, 2, 1, 3, 4)), (-1, heads, width, size))


def split_neighbours(x: Any, width: int) -> Any:
    """[B, N, S, H] to each chunk between its neighbours, [B * C, N, 3 W, H]; beyond the ends are zeros."""
    length = ops.shape(x)[2]
    x = _pad(x, 2, width, width + -length % width)  # [B, N, (C + 2) * W, H]
    size = ops.shape(x)[2] - 2 * width  # C * W
    parts = [split_chunks(x[:, :, first : first + size], width) for first in (0, width, 2 * width)]
    return ops.concatenate(parts, 2)


def join_chunks(x: Any, batch: Any, length: Any) -> Any:
    """The inverse of `split_chunks`: [B * C, N, W, H] to [B, N, S, H]."""
    _, heads, width, size = ops.shape(x)
    x = ops.reshape(x, (batch, -1, heads, width, size))
    x = ops.reshape(ops.transpose(x, (0, 2, 1, 3, 4)), (batch, heads, -1, size))
    return x[:, :, :length]


def window_bias(ids: Any, reach: int, width: int) -> Any:
    """The bias of attention scores of chunks, float32 [B * C, 1, W, 3 W]: 0 for tokens in reach, else -30,000.

    Args:
        ids: int [B, S]; a token sees those with its own id, which is above 0 (the input mask, or ids of examples).
        reach: how many places away a token is still seen.
        width: W, at least `reach`.
    """
    column = ops.expand_dims(ops.expand_dims(ops.cast(ids, "int32"), 1), -1)  # [B, 1, S, 1]
    of_queries = ops.maximum(split_chunks(column, width), 1)  # [B * C, 1, W, 1]; padding has to see something
    of_keys = ops.transpose(split_neighbours(column, width), (0, 1, 3, 2))  # [B * C, 1, 1, 3 W]
    distance = ops.expand_dims(ops.arange(width) + width, -1) - ops.arange(3 * width)  # [W, 3 W]
    near = ops.abs(distance) <= reach
    return score_bias(ops.logical_and(near, ops.equal(of_queries, of_keys)))


def _pad(x, axis, before, after):
    pads = [[0, 0] for _ in x.shape]
    pads[axis] = [before, after]
    return ops.pad(x, pads)
