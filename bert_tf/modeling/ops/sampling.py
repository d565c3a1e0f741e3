"""Random ids with the probabilities that logits give them."""

from typing import Any

from keras import ops

from bert_tf.modeling.ops.random_bytes import random_bytes

# V vocabulary


def sample_ids(logits: Any, seed: Any) -> Any:
    """Draws one id per vector of logits: float32 [..., V] and a seed, uint32 [2], to int32 [...], without gradient.

    The distribution function is inverted, which takes one random number per vector; Gumbel noise would take V.
    """
    logits = ops.stop_gradient(logits)
    sums = ops.cumsum(ops.exp(logits - ops.max(logits, -1, keepdims=True)), -1)  # [..., V]
    draws = random_bytes(ops.zeros((*ops.shape(logits)[:-1], 3), "uint8"), seed)  # [..., 3]
    shares = ops.matmul(ops.cast(draws, "float32"), [[2.0**-8], [2.0**-16], [2.0**-24]])  # [..., 1] in [0, 1)
    below = ops.cast(sums <= shares * sums[..., -1:], "int32")  # [..., V]
    return ops.minimum(ops.sum(below, -1), logits.shape[-1] - 1)  # rounding may make the product the last sum itself
