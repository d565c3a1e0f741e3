"""Functions whose gradients are written out, in fewer passes over memory than differentiating step by step takes."""

import math

from keras import backend, ops

from bert_tf.modeling.ops.random_bytes import random_bytes
from bert_tf.modeling.ops.xla import column_sums, fused, row_sums

# B batch, S sequence, Q queries, N heads, H head size, D hidden


def wide(x):
    """`x` in a dtype that sums and differences are safe in: float32 for 16 bits."""
    dtype = backend.standardize_dtype(x.dtype)
    return ops.cast(x, "float32") if dtype in ("bfloat16", "float16") else x


@ops.custom_gradient
def gelu(x):
    """The exact Gaussian error linear unit, x times the normal distribution's share below x."""
    return _gelu(x), lambda upstream: _gelu_gradient(x, upstream)


@fused
def _gelu(x):
    z = wide(x)
    return ops.cast(z * _share_below(z), x.dtype)


@fused
def _gelu_gradient(x, upstream):
    z = wide(x)
    density = ops.exp(-0.5 * ops.square(z)) * math.sqrt(0.5 / math.pi)
    return ops.cast(wide(upstream) * (_share_below(z) + z * density), x.dtype)


def _share_below(z):
    return 0.5 + 0.5 * ops.erf(z * math.sqrt(0.5))


def dropout(x, seed, dropped, scale):
    """`x` * scale, 0 where a byte drawn from `seed` is below `dropped`."""
    bits = _draw(x, seed)

    def apply(x):
        return _dropout(x, bits, dropped, scale)

    return ops.custom_gradient(lambda x: (apply(x), apply))(x)


def _draw(x, seed):
    return None if seed is None else random_bytes(x, seed)


@fused
def _dropout(x, bits, dropped, scale):
    return _scaled(_drop(x, bits, dropped), scale)


@fused
def _drop(x, bits, dropped):
    return x if bits is None else x * ops.cast(bits >= ops.cast(dropped, "uint8"), x.dtype)


@fused
def _scaled(x, scale):
    return ops.cast(wide(x) * scale, x.dtype)


def attend(query, key, value, mask, seed, dropped, scale):
    """Softmax of query key' / sqrt(H) + mask, dropped out, times value: [B, N, Q, H] from that and twice [B, N, S, H].

    `mask` [B, 1, 1 or Q, S] is added to the scores (Vaswani et al. 2017, section 3.2.1).
    """
    temperature = query.shape[-1] ** -0.5

    @ops.custom_gradient
    def compute(query, key, value, mask):
        probs = attention_probs(query, key, mask)
        kept = _drop(probs, _draw(probs, seed), dropped)
        context = ops.matmul(kept, _scaled(value, scale))  # [B, N, Q, H]

        def gradient(upstream):
            # The scores' gradients are to be divided by sqrt(H) too; a head is shorter than a row.
            kept_gradient = ops.matmul(upstream, _transposed(_scaled(value, scale * temperature)))  # [B, N, Q, S]
            scores_gradient = _scores_gradient(probs, kept, kept_gradient, upstream, context, temperature)
            return (
                ops.matmul(scores_gradient, key),
                ops.matmul(_transposed(scores_gradient), query),
                _scaled(ops.matmul(_transposed(kept), upstream), scale),
                ops.zeros_like(mask),
            )

        return context, gradient

    return compute(query, key, value, mask)


def attention_probs(query, key, mask):
    """Softmax of query key' / sqrt(H) + mask: [B, N, Q, H], [B, N, S, H] and [B, 1, 1 or Q, S] to [B, N, Q, S]."""
    # In this order TensorFlow makes one step of all that is under the softmax, which sums in float32.
    scores = ops.matmul(query, _transposed(key)) * query.shape[-1] ** -0.5
    return ops.softmax(scores + ops.cast(mask, query.dtype))


@fused
def _scores_gradient(probs, kept, kept_gradient, upstream, context, temperature):
    # What the softmax takes off a row, sum(probs * their gradients), is this sum over a head too (Dao et al. 2022,
    # appendix B.2).
    mean = ops.sum(wide(upstream) * wide(context), -1, keepdims=True) * temperature  # [B, N, Q, 1]
    return kept * kept_gradient - probs * ops.cast(mean, probs.dtype)


def add_and_norm(x, residual, gamma, beta, epsilon, seed, dropped, scale):
    """Layer norm of residual + dropout(x, seed, dropped, scale): [B, S, D] all but gamma and beta [D] in float32."""

    @ops.custom_gradient
    def compute(x, residual, gamma, beta):
        bits = _draw(x, seed)
        y, normed, inverse = _add_and_norm(x, residual, gamma, beta, epsilon, bits, dropped, scale)

        def gradient(upstream):
            return _add_and_norm_gradient(upstream, normed, inverse, gamma, bits, dropped, scale)

        return y, gradient

    # TensorFlow takes tensors here and no variables, which a copy reads.
    return compute(x, residual, ops.copy(gamma), ops.copy(beta))


@fused
def _add_and_norm(x, residual, gamma, beta, epsilon, bits, dropped, scale):
    total = wide(residual) + wide(_drop(x, bits, dropped)) * scale
    centred = total - _means(total)
    inverse = ops.rsqrt(_means(ops.square(centred)) + epsilon)  # [B, S, 1]
    normed = centred * inverse
    return ops.cast(normed * gamma + beta, x.dtype), ops.cast(normed, x.dtype), inverse


@fused
def _add_and_norm_gradient(upstream, normed, inverse, gamma, bits, dropped, scale):
    dtype = upstream.dtype
    upstream, normed = wide(upstream), wide(normed)
    by_normed = upstream * gamma
    total = (by_normed - _means(by_normed) - normed * _means(by_normed * normed)) * inverse
    sums = [column_sums(gradient) for gradient in (upstream * normed, upstream)]
    return _drop(ops.cast(total * scale, dtype), bits, dropped), ops.cast(total, dtype), *sums


def _means(x):
    return row_sums(x) / x.shape[-1]  # [..., 1]


def _transposed(x):
    return ops.transpose(x, (0, 1, 3, 2))
