"""Operations with handwritten gradients, in fewer passes over memory than automatic differentiation takes.

The plain reference of each is the function of the same name in plain_ops.py; a test compares both.
"""

import math
from typing import Any

import numpy as np
from keras import backend, ops

from bert_tf.modeling.ops.random_bytes import random_bytes
from bert_tf.modeling.ops.xla import column_sums, fused, row_sums

# B batch, S sequence, Q queries, N heads, H head size, D hidden


def upcast(x: Any) -> Any:
    """`x` in a dtype whose sums are accurate: float32 for 16 bits, else its own."""
    if backend.standardize_dtype(x.dtype) in ("bfloat16", "float16"):
        return ops.cast(x, "float32")
    return x


@ops.custom_gradient
def gelu(x: Any) -> Any:
    """The exact Gaussian error linear unit, x times the normal distribution function at x."""
    return _gelu(x), lambda upstream: _gelu_gradient(x, upstream)


@fused
def _gelu(x):
    z = upcast(x)
    return ops.cast(z * _normal_cdf(z), x.dtype)


@fused
def _gelu_gradient(x, upstream):
    z = upcast(x)
    density = ops.exp(-0.5 * ops.square(z)) * math.sqrt(0.5 / math.pi)
    return ops.cast(upcast(upstream) * (_normal_cdf(z) + z * density), x.dtype)


def _normal_cdf(z):
    return 0.5 + 0.5 * ops.erf(z * math.sqrt(0.5))


def dropout(x: Any, seed: Any, dropped: int, scale: float) -> Any:
    """`x` * scale, with zeros where a byte drawn from `seed` (uint32 [2]) is below `dropped`; None: no zeros."""

    def apply(x):
        return _dropout(x, _mask_bytes(x, seed), dropped, scale)

    return ops.custom_gradient(lambda x: (apply(x), apply))(x)


def _mask_bytes(x, seed):
    """Random bytes, uint8 of the shape of `x`, that decide what dropout drops; None without a seed.

    A gradient draws them again: kept until then they would take a tenth of a step's memory. It does so for a tensor of
    its own, else TensorFlow would find the same operation twice and keep the first result.
    """
    if seed is None:
        return None
    return random_bytes(x, seed)


@fused
def _dropout(x, bits, dropped, scale):
    return _scale(_apply_mask(x, bits, dropped), scale)


@fused
def _apply_mask(x, bits, dropped):
    if bits is None:
        return x
    kept = bits >= np.uint8(dropped)
    return x * ops.cast(kept, x.dtype)


@fused
def _scale(x, scale):
    return ops.cast(upcast(x) * scale, x.dtype)


def attend(query: Any, key: Any, value: Any, mask: Any, seed: Any, dropped: int, scale: float) -> Any:
    """Attention with dropout on its probabilities (Vaswani et al. 2017, section 3.2.1): [B, N, Q, H].

    Args:
        query: [B, N, Q, H].
        key, value: [B, N, S, H].
        mask: [B, 1, 1 or Q, S], added to the scores.
        seed, dropped, scale: as for `dropout`.
    """
    temperature = query.shape[-1] ** -0.5

    @ops.custom_gradient
    def compute(query, key, value, mask):
        probs = attention_probs(query, key, mask)  # [B, N, Q, S]
        kept = _apply_mask(probs, _mask_bytes(probs, seed), dropped)  # [B, N, Q, S]
        context = ops.matmul(kept, _scale(value, scale))  # [B, N, Q, H]

        def gradient(upstream):
            # Scores are divided by sqrt(H): here it costs less, because value is smaller than the scores.
            kept_gradient = ops.matmul(upstream, _transpose(_scale(value, scale * temperature)))  # [B, N, Q, S]
            kept = _apply_mask(probs, _mask_bytes(kept_gradient, seed), dropped)  # [B, N, Q, S]
            scores_gradient = _scores_gradient(
                probs, kept, kept_gradient, upstream, context, temperature
            )  # [B, N, Q, S]
            return (
                ops.matmul(scores_gradient, key),
                ops.matmul(_transpose(scores_gradient), query),
                _scale(ops.matmul(_transpose(kept), upstream), scale),
                ops.zeros_like(mask),
            )

        return context, gradient

    return compute(query, key, value, mask)


def attention_probs(query: Any, key: Any, mask: Any) -> Any:
    """Softmax of query key' / sqrt(H) + mask: [B, N, Q, H], [B, N, S, H] and [B, 1, 1 or Q, S] to [B, N, Q, S]."""
    # In this order TensorFlow fuses all that is under the softmax, which sums in float32.
    scores = ops.matmul(query, _transpose(key)) * query.shape[-1] ** -0.5  # [B, N, Q, S]
    return ops.softmax(scores + ops.cast(mask, query.dtype))


@fused
def _scores_gradient(probs, kept, kept_gradient, upstream, context, temperature):
    # The softmax subtracts sum(probs * their gradients) over S, which equals this sum over H (Dao et al. 2022,
    # appendix B.2).
    mean = ops.sum(upcast(upstream) * upcast(context), -1, keepdims=True) * temperature  # [B, N, Q, 1]
    return kept * kept_gradient - probs * ops.cast(mean, probs.dtype)


def add_and_norm(
    x: Any, residual: Any, gamma: Any, beta: Any, epsilon: float, seed: Any, dropped: int, scale: float
) -> Any:
    """Layer norm of residual + dropout(x, seed, dropped, scale): [B, S, D].

    `x` and `residual` are [B, S, D], `gamma` and `beta` [D]; for the rest see `dropout`.
    """

    @ops.custom_gradient
    def compute(x, residual, gamma, beta):
        bits = _mask_bytes(x, seed)
        y, normed, inverse = _add_and_norm(x, residual, gamma, beta, epsilon, bits, dropped, scale)

        def gradient(upstream):
            bits = _mask_bytes(upstream, seed)
            return _add_and_norm_gradient(upstream, normed, inverse, gamma, bits, dropped, scale)

        return y, gradient

    # A custom gradient of TensorFlow takes tensors and no variables; a copy reads their values.
    return compute(x, residual, ops.copy(gamma), ops.copy(beta))


@fused
def _add_and_norm(x, residual, gamma, beta, epsilon, bits, dropped, scale):
    total = upcast(residual) + upcast(_apply_mask(x, bits, dropped)) * scale
    centred = total - _means(total)
    inverse = ops.rsqrt(_means(ops.square(centred)) + epsilon)  # [B, S, 1]
    normed = centred * inverse
    return ops.cast(normed * upcast(gamma) + upcast(beta), x.dtype), ops.cast(normed, x.dtype), inverse


@fused
def _add_and_norm_gradient(upstream, normed, inverse, gamma, bits, dropped, scale):
    dtype = upstream.dtype
    upstream, normed = upcast(upstream), upcast(normed)
    by_normed = upstream * upcast(gamma)
    total = (by_normed - _means(by_normed) - normed * _means(by_normed * normed)) * inverse
    sums = [ops.cast(column_sums(gradient), gamma.dtype) for gradient in (upstream * normed, upstream)]
    return _apply_mask(ops.cast(total * scale, dtype), bits, dropped), ops.cast(total, dtype), *sums


def _means(x):
    return row_sums(x) / x.shape[-1]  # [..., 1]


def _transpose(x):
    return ops.transpose(x, (0, 1, 3, 2))
