"""Losses between inner vectors of a student and its teacher: hidden states and relations of self-attention."""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

from bert_tf.core.errors import ConfigError

# B batch, S sequence, D width, R relation heads

NEVER = -1e9  # added to scores of padding


def hidden_loss(student: Any, teacher: Any, mask: Any) -> Any:
    """Mean squared error between vectors [B, S, D] of the same width, over the real tokens of each row: float32 [B]."""
    difference = ops.cast(student, "float32") - ops.cast(teacher, "float32")
    return _mean_of_tokens(ops.mean(ops.square(difference), -1), mask)


def relation_loss(student: Sequence[Any], teacher: Sequence[Any], heads: int, mask: Any) -> Any:
    """KL(teacher || student) between relations of tokens (Wang et al. 2021, MiniLMv2), float32 [B].

    A relation is the softmax of the scaled products of each token's vector with those of all tokens, as if there were
    `heads` attention heads. The result is the mean over queries, keys and values, over heads and over real tokens.

    Args:
        student, teacher: queries, keys and values [B, S, D] each, of widths that are multiples of `heads`.
        heads: number of relation heads, R.
        mask: int [B, S], 1 = real token.
    """
    total = 0.0
    for ours, theirs in zip(student, teacher, strict=True):
        log_student, log_teacher = _log_relations(ours, heads, mask), _log_relations(theirs, heads, mask)
        divergence = ops.sum(ops.exp(log_teacher) * (log_teacher - log_student), -1)  # [B, R, S]
        total += _mean_of_tokens(ops.mean(divergence, 1), mask)
    return total / len(student)


def relation_heads(student: int, teacher: int, heads: int, wanted: int | None = None) -> int:
    """Number of relation heads for queries of two widths: `wanted`, or as many of the student's as divide both widths.

    Raises:
        ConfigError: a width is not a multiple of `wanted`.
    """
    if wanted is None:
        return math.gcd(heads, student, teacher)
    if student % wanted or teacher % wanted:
        raise ConfigError(
            f"Received: relation_heads={wanted}. The queries of the student, {student} wide, and of the teacher, "
            f"{teacher} wide, must be multiples of it."
        )
    return wanted


def spread_layers(student: int, teacher: int) -> list[int]:
    """The teacher's layer, from 1, that each of the student's layers follows: evenly spread, the last by the last."""
    return [max(1, round((i + 1) * teacher / student)) for i in range(student)]


def _log_relations(x: Any, heads: int, mask: Any) -> Any:
    """Logarithms of the relations of vectors [B, S, D]: float32 [B, R, S, S]."""
    size = x.shape[-1] // heads
    x = ops.cast(ops.reshape(x, (*ops.shape(x)[:2], heads, size)), "float32")  # [B, S, R, D / R]
    scores = ops.einsum("bsrd,btrd->brst", x, x) * size**-0.5  # [B, R, S, S]
    padding = ops.cast(mask, "float32")[:, None, None, :]
    return ops.log_softmax(scores + (1 - padding) * NEVER)


def _mean_of_tokens(values: Any, mask: Any) -> Any:
    """The mean of values [B, S] over real tokens: float32 [B]."""
    mask = ops.cast(mask, "float32")
    return ops.sum(values * mask, 1) / ops.maximum(ops.sum(mask, 1), 1.0)
