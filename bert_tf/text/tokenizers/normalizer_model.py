"""A map from characters to strings in the form that tensorflow-text's `FastBertNormalizer` reads.

A flatbuffer of four fields: a flag that the op does not read, a double-array trie over UTF-8 bytes (in the layout of
darts-clone), the replacement of NUL (which the trie cannot hold), and a pool of strings.
"""

import flatbuffers
import numpy as np

# A value of the trie: this bit, the position of the string in the pool, and its length in bytes in six bits.
_CHANGED, _LENGTH_BITS = 1 << 30, 6
# A unit of the trie: the distance to its children (XOR of positions), whether it has a value, its byte.
_DISTANCE_BITS, _HAS_VALUE = 10, 1 << 8


def to_model(strings: dict[str, str]) -> bytes:
    """The model that replaces characters by strings of at most 63 bytes and removes invalid UTF-8.

    `strings` maps characters to their replacements; all others stay.
    """
    replacements = dict.fromkeys(_ill_formed(), b"") | {c.encode(): s.encode() for c, s in strings.items()}
    pool, value_of = bytearray(), {}
    for replacement in dict.fromkeys(replacements.values()):
        position = len(pool) if replacement else 0
        value_of[replacement] = _CHANGED | position << _LENGTH_BITS | len(replacement)
        pool += replacement
    values = {key: value_of[replacement] for key, replacement in replacements.items()}
    of_nul = values.pop(b"\0", 0)
    return _flatbuffer(_trie(values), of_nul, bytes(pool))


def _ill_formed():
    """Invalid UTF-8 that the op takes for characters: bytes that begin no character, and incomplete characters."""
    codes = [*range(0x80, 0xD800, 64), *range(0xE000, 0x110000, 64)]  # one of each 64 that differ in the last byte
    incomplete = [character[:end] for character in (chr(c).encode() for c in codes) for end in range(1, len(character))]
    return [bytes([byte]) for byte in range(0x80, 0x100)] + incomplete


def _trie(values):
    """Units [slots] uint32 of the trie over the keys (bytes) of a dict to values."""
    # Every prefix has its own block in the array, because the search for free positions is the slow part of building
    # a double array: one slot for each byte that may follow (80 to BF) and, 128 before them, one for its value. Two
    # blocks fit into 256 slots. The first 256 are those of the root.
    prefixes = dict.fromkeys(key[:end] for key in values for end in range(1, len(key)))
    blocks = {b"": 0} | {prefix: 256 * (1 + i // 2) + 64 * (i % 2) for i, prefix in enumerate(prefixes)}
    # The values of other keys come last. Incomplete characters, which have the first value, may be followed by more
    # bytes in a text: the slots of these must be empty.
    first = 256 * (2 + len(prefixes) // 2)
    leaves = {value: first + (256 + i if i else 0) for i, value in enumerate(dict.fromkeys(values.values()))}
    units = np.zeros(first + 256 + len(leaves), np.uint32)
    units[list(leaves.values())] = list(leaves)
    for key in prefixes | values:
        slot = blocks[key[:-1]] ^ key[-1]
        below = blocks[key] if key in blocks else leaves[values[key]]
        units[slot] = (slot ^ below) << _DISTANCE_BITS | _HAS_VALUE | key[-1]
        if key in blocks:
            units[below] = values.get(key, 0)
    return units


def _flatbuffer(units, of_nul, pool):
    builder = flatbuffers.Builder(units.nbytes + len(pool) + 64)
    pool = builder.CreateByteVector(pool)
    units = builder.CreateNumpyVector(units)
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(1, units, 0)
    builder.PrependInt32Slot(2, of_nul, 0)
    builder.PrependUOffsetTRelativeSlot(3, pool, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())
