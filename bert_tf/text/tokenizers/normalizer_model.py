"""A map from characters to strings in the form that tensorflow-text's `FastBertNormalizer` reads.

That form is a flatbuffer of four fields: a flag that its op does not read, a double-array trie over UTF-8 bytes (as
darts-clone lays it out), what becomes of NUL (which the trie cannot hold), and a pool of strings.
"""

import flatbuffers
import numpy as np

# A value of the trie: this bit, the place of the string in the pool, and the string's length in bytes in six bits.
_CHANGED, _LENGTH_BITS = 1 << 30, 6
# A unit of the trie: the distance to its children (exclusive or of places), whether it has a value, its byte.
_DISTANCE_BITS, _HAS_VALUE = 10, 1 << 8


def to_model(strings):
    """The model that replaces characters by strings of at most 63 bytes and removes what is no UTF-8: bytes.

    `strings` is a dict of str to str; the characters that it lacks stay.
    """
    strings = dict.fromkeys(_ill_formed(), b"") | {c.encode(): string.encode() for c, string in strings.items()}
    pool, values = bytearray(), {}
    for string in dict.fromkeys(strings.values()):
        values[string] = _CHANGED | (len(pool) << _LENGTH_BITS if string else 0) | len(string)
        pool += string
    values = {key: values[string] for key, string in strings.items()}
    of_nul = values.pop(b"\0", 0)
    return _flatbuffer(_trie(values), of_nul, bytes(pool))


def _ill_formed():
    """What the op takes for a character in bytes that are none: bytes that begin no character, and begun characters."""
    codes = [*range(0x80, 0xD800, 64), *range(0xE000, 0x110000, 64)]  # one of each 64 that differ in the last byte
    begun = [character[:end] for character in (chr(c).encode() for c in codes) for end in range(1, len(character))]
    return [bytes([byte]) for byte in range(0x80, 0x100)] + begun


def _trie(values):
    """Units [slots] uint32 of the trie over the keys (bytes) of a dict to values."""
    # Every prefix has a block of its own in the array, so that no place has to be searched for, which is what takes
    # long in making a double array: one slot for each byte that may follow (80 to BF) and, 128 before them, one for
    # its value. Two blocks fit into 256 slots. The first 256 are those of the root.
    prefixes = dict.fromkeys(key[:end] for key in values for end in range(1, len(key)))
    blocks = {b"": 0} | {prefix: 256 * (1 + i // 2) + 64 * (i % 2) for i, prefix in enumerate(prefixes)}
    # The values of other keys come last. Begun characters, which have the first of them, may go on in a text: the slots
    # of what would follow must be empty.
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
