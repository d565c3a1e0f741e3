"""Arrays to serialized tf.train.Example messages, many rows at once, and back."""

import typing

import numpy as np
import tensorflow as tf

from bert_tf.core.features import (
    INPUT_IDS,
    INPUT_MASK,
    MASKED_LM_IDS,
    MASKED_LM_POSITIONS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
    SEGMENT_IDS,
)

# Legend: N rows, W values of a feature in a row.

# Names in records by name in this package, where they differ.
SCHEMAS = {
    "google": {},
    "model_garden": {INPUT_IDS: "input_word_ids", SEGMENT_IDS: "input_type_ids"},
}
FEATURES = (
    INPUT_IDS,
    INPUT_MASK,
    SEGMENT_IDS,
    MASKED_LM_POSITIONS,
    MASKED_LM_IDS,
    MASKED_LM_WEIGHTS,
    NEXT_SENTENCE_LABELS,
)


def serialize(rows: dict[str, np.ndarray], schema: str = "google") -> list[bytes]:
    """Serializes `{feature: array [N, W]}` (int32 from 0 up, or float32) to a list of N `bytes`.

    The wire format is written with array operations instead of one object per value: every part of a message is a
    matrix of bytes with a mask of the valid ones, and the valid bytes row by row are the messages.
    """
    entries = []
    for name, values in rows.items():
        key = SCHEMAS[schema].get(name, name).encode()
        if values.dtype == np.float32:
            payload, tag = _whole(values.astype("<f4").view(np.uint8)), b"\x12"  # Feature.float_list = 2
        else:
            payload, tag = _varints(values), b"\x1a"  # Feature.int64_list = 3
        feature = _message(tag, _message(b"\x0a", [payload]))  # value = 1, packed
        key = _constant(b"\x0a" + bytes([len(key)]) + key, len(values))  # the map's key = 1, value = 2
        entries += _message(b"\x0a", [key, *_message(b"\x12", feature)])  # Features.feature = 1
    parts = _message(b"\x0a", entries)  # Example.features = 1
    data = np.concatenate([part.bytes for part in parts], 1)[
        np.concatenate([part.counts for part in parts], 1)
    ].tobytes()
    ends = np.cumsum(sum(part.lengths for part in parts)).tolist()
    return [data[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def features_of(example: bytes) -> dict[str, tuple[int, tf.DType]]:
    """`{name: (number of values, dtype)}` of one serialized example."""
    message = tf.train.Example.FromString(example)
    kinds = {"int64_list": tf.int64, "float_list": tf.float32, "bytes_list": tf.string}
    found = {}
    for name, feature in message.features.feature.items():
        kind = feature.WhichOneof("kind")
        if kind:
            found[name] = (len(getattr(feature, kind).value), kinds[kind])
    return found


def parse(
    serialized: tf.Tensor, names: dict[str, str], shapes: dict[str, tuple[int, tf.DType]]
) -> dict[str, tf.Tensor]:
    """Parses a batch of serialized examples in the graph.

    Args:
        serialized: string [N].
        names: `{our name: name in the record}`.
        shapes: `{our name: (W, dtype)}`.

    Returns:
        `{our name: int32 or float32 [N, W]}`.
    """
    spec = {names[name]: tf.io.FixedLenFeature([width], dtype) for name, (width, dtype) in shapes.items()}
    parsed = tf.io.parse_example(serialized, spec)
    return {
        name: tf.cast(parsed[names[name]], tf.int32) if dtype == tf.int64 else parsed[names[name]]
        for name, (_, dtype) in shapes.items()
    }


class _Part(typing.NamedTuple):
    """A part of N messages."""

    bytes: np.ndarray  # uint8 [N, columns]
    counts: np.ndarray  # bool [N, columns], the valid bytes
    lengths: np.ndarray  # int [N], number of valid bytes


def _message(tag, parts):
    """Puts a field's tag and its length before its parts."""
    length = sum(part.lengths for part in parts)
    return [_constant(tag, len(length)), _varints(length[:, None]), *parts]


def _constant(text, rows):
    return _whole(np.broadcast_to(np.frombuffer(text, np.uint8), (rows, len(text))))


def _whole(matrix):
    rows, columns = matrix.shape
    return _Part(matrix, np.ones(matrix.shape, bool), np.full(rows, columns))


def _varints(values):
    """Base 128 varints of int [N, W]: seven bits per byte, lowest first; the eighth bit is set where more follow."""
    width = max(1, -(-int(values.max(initial=0)).bit_length() // 7))
    if width == 1:
        return _whole(values.astype(np.uint8))
    groups = values.astype(np.int32)[..., None] >> np.arange(0, 7 * width, 7, dtype=np.int32)  # [N, W, width]
    counts = groups > 0
    counts[..., 0] = True
    matrix = groups.astype(np.uint8) & 0x7F
    matrix[..., :-1] |= counts[..., 1:].view(np.uint8) << 7
    rows = len(values)
    counts = counts.reshape(rows, -1)
    return _Part(matrix.reshape(rows, -1), counts, np.count_nonzero(counts, axis=1))
