"""Rotary position embeddings (Su et al. 2021)."""

from typing import Any

from keras import ops

# B batch, S sequence, N heads, H head size


def rotations(positions: Any, head_size: int, theta: float) -> tuple[Any, Any]:
    """Cosine and sine of the angles at `positions` [S] or [B, S]: float32 [S, H / 2] or [B, 1, S, H / 2] each.

    Pair i of a head turns by position * theta^(-2 i / H).
    """
    frequencies = theta ** (-ops.arange(0, head_size, 2, dtype="float32") / head_size)  # [H / 2]
    angles = ops.expand_dims(ops.cast(positions, "float32"), -1) * frequencies  # [..., S, H / 2]
    if len(positions.shape) == 2:
        angles = ops.expand_dims(angles, 1)
    return ops.cos(angles), ops.sin(angles)


def rotate(x: Any, cosine: Any, sine: Any) -> Any:
    """Turns the pairs (x_i, x_{i + H / 2}) of each head: [B, N, S, H] to the same shape."""
    first, second = ops.split(x, 2, axis=-1)  # [B, N, S, H / 2] each
    cosine, sine = ops.cast(cosine, x.dtype), ops.cast(sine, x.dtype)
    return ops.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1)
