"""Plain references of the fast operations, with the same arguments: the definition of what those compute.

Models do not use them; the tests compare values and gradients of both.
"""

from typing import Any

from keras import ops

from bert_tf.modeling.ops.random_bytes import random_bytes

# B batch, S sequence, Q queries, N heads, H head size, D hidden, V vocabulary


def gelu(x: Any) -> Any:
    """The exact Gaussian error linear unit."""
    return 0.5 * x * (1 + ops.erf(x / 2**0.5))


def dropout(x: Any, seed: Any, dropped: int, scale: float) -> Any:
    """`x` * scale, with zeros where a byte drawn from `seed` is below `dropped`."""
    kept = random_bytes(ops.zeros(x.shape), seed) >= ops.cast(dropped, "uint8")
    return x * ops.cast(kept, x.dtype) * scale


def attend(query: Any, key: Any, value: Any, mask: Any, seed: Any, dropped: int, scale: float) -> Any:
    """Attention with dropout on its probabilities: [B, N, Q, H]."""
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / query.shape[-1] ** 0.5 + mask  # [B, N, Q, S]
    return ops.matmul(dropout(ops.softmax(scores), seed, dropped, scale), value)


def add_and_norm(
    x: Any, residual: Any, gamma: Any, beta: Any, epsilon: float, seed: Any, dropped: int, scale: float
) -> Any:
    """Layer norm of residual + dropout(x): [B, S, D]."""
    x = residual + dropout(x, seed, dropped, scale)
    x = x - ops.mean(x, -1, keepdims=True)
    return x / ops.sqrt(ops.mean(x * x, -1, keepdims=True) + epsilon) * gamma + beta


def cross_entropy(logits: Any, ids: Any, smoothing: float = 0.0) -> Any:
    """-log(softmax(logits)[ids]), with label smoothing: [N, V] and integer [N] to [N]."""
    size = logits.shape[-1]
    targets = (1 - smoothing) * ops.one_hot(ids, size, dtype=logits.dtype) + smoothing / size  # [N, V]
    return -ops.sum(ops.log(ops.softmax(logits)) * targets, -1)
