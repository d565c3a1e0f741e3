"""Inference on many rows in microbatches of similar length; TensorFlow ops only."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_tf.core import features

# N rows, S positions of a row

ROWS = 32  # rows of a microbatch
# Rows of unequal length go into this many parts, of this many rows at least, if that leaves this share of the tokens:
# products of fewer rows take up to a tenth longer per token.
_PARTS, _LEAST_ROWS, _SHARE = 4, 8, 0.85


def call_in_microbatches(
    call: Callable,
    inputs: dict,
    rows: int = ROWS,
    dtypes: Any = tf.float32,
    per_token: bool = False,
    save_padding: bool = True,
) -> Any:
    """`call(inputs)` on at most about `rows` rows at a time, which bounds the memory and needs little padding.

    Args:
        call: from {name: [n, ...]} to a tensor [n, ...] or a dict of them.
        inputs: integer tensors [N, ...]; the encoder's, [N, ..., S], are cut to the longest row of a microbatch.
        rows: most rows of a microbatch, roughly.
        dtypes: dtype of the outputs of `call`, in their structure.
        per_token: whether the outputs are [n, S, ...]; they are padded with 0 to the longest row.
        save_padding: whether rows of unequal length go into more parts than `rows` asks for; not where `call` takes as
            long for a few rows as for many.

    Returns:
        The outputs of `call` for all N rows, in their order.
    """
    ids = inputs[features.INPUT_IDS]
    count, length = tf.shape(ids)[0], tf.shape(ids)[-1]
    width = tf.maximum(length, 1)
    lengths = row_lengths(inputs)
    order = tf.argsort(lengths, stable=True)
    parts = tf.maximum(1, -(-count // rows))
    if save_padding:
        parts = _parts_with_less_padding(tf.gather(lengths, order), parts)
    size = -(-count // parts)

    def split(name: str, value: tf.Tensor) -> tf.Tensor:
        """An input, sorted by length and padded with empty rows, as equal parts: [parts, size, ...]."""
        padding = [[0, parts * size - count], *([[0, 0]] * (value.shape.rank - 1))]
        if name in features.ENCODER_INPUTS:
            padding[-1] = [0, width - length]
        value = tf.pad(tf.gather(value, order), padding)
        return tf.reshape(value, tf.concat([[parts, size], tf.shape(value)[1:]], 0))

    def call_part(part: dict) -> Any:
        """Outputs of one part, computed without the columns that are padding in all its rows."""
        own = tf.maximum(tf.reduce_max(row_lengths(part)), 1)  # the maximum over no rows is negative
        trimmed = dict(part)
        for name, value in part.items():
            if name in features.ENCODER_INPUTS:
                trimmed[name] = value[..., :own]
        outputs = call(trimmed)
        if not per_token:
            return outputs

        def pad(value: tf.Tensor) -> tf.Tensor:
            return tf.pad(value, [[0, 0], [0, width - own], *([[0, 0]] * (value.shape.rank - 2))])

        return tf.nest.map_structure(pad, outputs)

    stacked = {name: split(name, value) for name, value in inputs.items()}  # [parts, size, ...]
    outputs = tf.map_fn(call_part, stacked, fn_output_signature=dtypes, parallel_iterations=1)
    places = tf.math.invert_permutation(order)

    def join(value: tf.Tensor) -> tf.Tensor:
        """Outputs of all parts [parts, size, ...] as rows in the order of the inputs [N, ...]."""
        value = tf.reshape(value, tf.concat([[parts * size], tf.shape(value)[2:]], 0))
        value = tf.gather(value[:count], places)
        return value[:, :length] if per_token else value

    return tf.nest.map_structure(join, outputs)


def row_lengths(inputs: dict) -> tf.Tensor:
    """Number of positions up to the last token of each row, of the longest text in rows of several; int32 [N]."""
    mask = inputs[features.INPUT_MASK]
    ends = mask * tf.range(1, tf.shape(mask)[-1] + 1, dtype=mask.dtype)
    return tf.reduce_max(tf.reshape(ends, [tf.shape(mask)[0], -1]), 1)


def _parts_with_less_padding(lengths: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
    """The number of parts for rows of ascending lengths, int32 [N]: `parts`, or more if these save enough padding."""
    more = tf.maximum(parts, tf.minimum(_PARTS, tf.size(lengths) // _LEAST_ROWS))
    fewer_tokens = tf.cast(_padded_tokens(lengths, more), tf.float32)
    return tf.where(fewer_tokens < _SHARE * tf.cast(_padded_tokens(lengths, parts), tf.float32), more, parts)


def _padded_tokens(lengths: tf.Tensor, parts: tf.Tensor) -> tf.Tensor:
    """The number of tokens, padding included, of rows of ascending lengths in equal parts."""
    count = tf.size(lengths)
    size = -(-count // parts)
    ends = tf.minimum(tf.range(1, parts + 1) * size, count)
    return size * tf.reduce_sum(tf.gather(tf.concat([[0], lengths], 0), ends))  # 0 of no rows
