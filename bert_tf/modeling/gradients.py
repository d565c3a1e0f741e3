"""Functions whose gradients are written out, in fewer passes over memory than differentiating step by step takes."""

import math

from keras import backend, ops

# B batch, S sequence, N heads, H head size, D hidden


def wide(x):
    """`x` in a dtype that sums and differences are safe in: float32 for 16 bits."""
    dtype = backend.standardize_dtype(x.dtype)
    return ops.cast(x, "float32") if dtype in ("bfloat16", "float16") else x


@ops.custom_gradient
def gelu(x):
    """The exact Gaussian error linear unit, x times the normal distribution's share below x."""
    z = wide(x)
    share = 0.5 + 0.5 * ops.erf(z * math.sqrt(0.5))

    def gradient(upstream):
        density = ops.exp(-0.5 * ops.square(z)) * math.sqrt(0.5 / math.pi)
        return ops.cast(wide(upstream) * (share + z * density), x.dtype)

    return ops.cast(z * share, x.dtype), gradient


@ops.custom_gradient
def attend(scores, value, keep):
    """Softmax of scores [B, N, S, S], times `keep` (1 or 0, of the same shape), times value [B, N, S, H]."""
    probs = ops.softmax(scores)
    kept = probs * keep
    context = ops.matmul(kept, value)  # [B, N, S, H]

    def gradient(upstream):
        kept_gradient = ops.matmul(upstream, _transposed(value))  # [B, N, S, S]
        # What the softmax takes off a row, sum(probs * their gradients), is this sum over a head too (Dao et al. 2022,
        # appendix B.2), and a head is shorter than a row.
        mean = ops.sum(wide(upstream) * wide(context), -1, keepdims=True)  # [B, N, S, 1]
        scores_gradient = kept * kept_gradient - probs * ops.cast(mean, probs.dtype)
        return scores_gradient, ops.matmul(_transposed(kept), upstream), ops.zeros_like(keep)

    return context, gradient


def add_and_norm(x, residual, keep, gamma, beta, scale, epsilon):
    """Layer norm of residual + x * keep * scale, all [B, S, D] but gamma and beta [D], which are float32."""

    @ops.custom_gradient
    def compute(x, residual, keep, gamma, beta):
        total = wide(residual) + wide(x * keep) * scale
        centred = total - ops.mean(total, -1, keepdims=True)
        inverse = ops.rsqrt(ops.mean(ops.square(centred), -1, keepdims=True) + epsilon)  # [B, S, 1]
        normed = centred * inverse

        def gradient(upstream):
            upstream = wide(upstream)
            by_gamma, by_normed = upstream * normed, upstream * gamma
            mean = ops.mean(by_normed, -1, keepdims=True)
            slope = ops.mean(by_normed * normed, -1, keepdims=True)
            total_gradient = (by_normed - mean - normed * slope) * inverse
            residual_gradient = ops.cast(total_gradient, x.dtype)
            x_gradient = ops.cast(total_gradient * scale, x.dtype) * keep
            axes = tuple(range(len(x.shape) - 1))
            sums = [ops.sum(gradient, axes) for gradient in (by_gamma, upstream)]
            return x_gradient, residual_gradient, ops.zeros_like(keep), *sums

        return ops.cast(normed * gamma + beta, x.dtype), gradient

    # TensorFlow takes tensors here and no variables, which a copy reads.
    return compute(x, residual, keep, ops.copy(gamma), ops.copy(beta))


def _transposed(x):
    return ops.transpose(x, (0, 1, 3, 2))
