"""CRC-32C checksums of TFRecord files, compared for many records at once."""

import functools
from collections.abc import Sequence

import numpy as np

_POLYNOMIAL = 0x82F63B78  # reflected
_BLOCK = 1024  # bytes that one table lookup takes in; the table has 1 KiB for each
_STATE = 4  # bytes of a checksum, and of the register that starts with ones
_GROUP = 64  # messages compared at once

# Legend: N messages, L bytes of the longest with its shift.


def match(messages: Sequence[bytes], masked: np.ndarray) -> bool:
    """Whether all messages have the checksums that were written with them.

    Args:
        messages: N messages; one of less than 4 bytes never matches.
        masked: their checksums as TFRecord files have them, uint32 [N].
    """
    starts = range(0, len(messages), _GROUP)
    return all(_match(messages[start : start + _GROUP], masked[start : start + _GROUP]) for start in starts)


def match_heads(heads: np.ndarray) -> bool:
    """Whether the lengths before records, uint8 [N, 12] of 8 bytes and their checksum, have these checksums."""
    lengths = heads[:, :8].copy()
    lengths[:, :_STATE] ^= 0xFF
    found = np.bitwise_xor.reduce(_table()[np.arange(8)[::-1], lengths], axis=1)  # [N]
    written = np.ascontiguousarray(heads[:, 8:]).view("<u4")[:, 0]
    return bool(np.all(found == ~_unmask(written)))


def _match(messages: Sequence[bytes], masked: np.ndarray) -> bool:
    """`match` of a group, by one checksum for all of it.

    A checksum without its initial ones is linear: that of the exclusive or of messages is the exclusive or of their
    checksums. Each message is shifted by another number of bytes first, so that equal errors do not cancel out.
    """
    lengths = np.fromiter(map(len, messages), np.intp, len(messages))  # [N]
    if lengths.min() < _STATE:
        return False
    shifts = np.arange(len(messages)) + _STATE  # [N]
    longest = int((lengths + shifts).max())
    # Zeros before a message do not change a linear checksum.
    rows = [(message + bytes(shift)).rjust(longest, b"\0") for message, shift in zip(messages, shifts, strict=True)]
    folded = np.bitwise_xor.reduce(np.frombuffer(b"".join(rows), np.uint8).reshape(-1, longest), axis=0)  # [L]
    # The initial ones of the register invert the first bytes of each message.
    first = (longest - lengths - shifts)[:, None] + np.arange(_STATE)  # [N, 4]
    inverted = np.bincount(first.ravel(), minlength=longest) & 1  # [L]
    folded ^= (0xFF * inverted).astype(np.uint8)
    written = (~_unmask(masked)).astype("<u4").view(np.uint8).reshape(-1, _STATE)  # [N, 4]
    shifted = _table()[shifts[:, None] - 1 - np.arange(_STATE), written]  # [N, 4]
    return bool(_linear(folded) == np.bitwise_xor.reduce(shifted, axis=None))


def _unmask(masked: np.ndarray) -> np.ndarray:
    """Checksums, uint32 [N], from their form in TFRecord files, where they are rotated and shifted."""
    rotated = masked - np.uint32(0xA282EAD8)
    return (rotated >> np.uint32(17)) | (rotated << np.uint32(15))


def _linear(message: np.ndarray) -> np.uint32:
    """The checksum of a message, uint8 [L], with an initial register and a final mask of zeros."""
    padded = np.concatenate([np.zeros(-len(message) % _BLOCK, np.uint8), message])
    state = np.uint32(0)
    places = np.arange(_BLOCK)[::-1]  # distance of each byte from the end of its block
    for block in padded.reshape(-1, _BLOCK):
        block[:_STATE] ^= np.frombuffer(state.astype("<u4").tobytes(), np.uint8)
        state = np.bitwise_xor.reduce(_table()[places, block])
    return state


@functools.cache
def _table() -> np.ndarray:
    """Linear checksums of each byte followed by 0, 1, ... zero bytes: uint32 [block, 256]."""
    checksums = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        checksums = np.where(checksums & 1, (checksums >> 1) ^ np.uint32(_POLYNOMIAL), checksums >> 1)
    table = np.empty((_BLOCK, 256), np.uint32)
    table[0] = checksums
    for row in range(1, _BLOCK):
        table[row] = (table[row - 1] >> 8) ^ checksums[table[row - 1] & 0xFF]
    return table
