"""Seeded random orders in which any position is computed without the ones before it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_ROUNDS = 6


def permute(positions: npt.ArrayLike, size: int, seed: Sequence[int]) -> np.ndarray:
    """The elements at `positions` of a random order of `range(size)`.

    A Feistel network over the smallest even number of bits that holds `size`, applied again until the result is
    in range (Black and Rogaway 2002, section 3): no table, whatever the size.

    Args:
        positions: int [N], each in [0, size).
        seed: non-negative ints; the order is a function of them.

    Returns:
        int64 [N]; over all positions every element occurs once.
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    keys = np.random.SeedSequence(seed).generate_state(_ROUNDS, np.uint64)
    values = np.array(positions, np.uint64)
    outside = np.ones(len(values), bool)
    while outside.any():
        values[outside] = _feistel(values[outside], half, keys)
        outside &= values >= size
    return values.astype(np.int64)


def _feistel(values, half, keys):
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return left << half | right


def _mix(values):
    """Spreads every bit over the word (the finalizer of MurmurHash3)."""
    for constant in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        values = (values ^ values >> np.uint64(33)) * np.uint64(constant)
    return values ^ values >> np.uint64(33)
