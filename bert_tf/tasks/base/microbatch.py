"""Inference on many rows in microbatches of similar length; TensorFlow ops only."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_tf.core import features

# N rows, S positions of a row

ROWS = 32  # rows of a microbatch
BUCKET = 8  # rows are padded to a multiple of this many tokens, so that a server sees few shapes


def call_in_microbatches(
    call: Callable, inputs: dict, longest: int, rows: int = ROWS, dtypes: Any = tf.float32, per_token: bool = False
) -> Any:
    """`call(inputs)` on at most about `rows` rows at a time, which bounds the memory and needs little padding.

    Args:
        call: from {name: [n, ...]} to a tensor [n, ...] or a dict of them.
        inputs: integer tensors [N, ...]; the encoder's, [N, ..., S], are cut to the longest row of a microbatch.
        longest: most tokens of a row of the model.
        rows: most rows of a microbatch, roughly.
        dtypes: dtype of the outputs of `call`, in their structure.
        per_token: whether the outputs are [n, S, ...]; they are padded with 0 to the longest row.

    Returns:
        The outputs of `call` for all N rows, in their order.
    """
    ids = inputs[features.INPUT_IDS]
    count, length = tf.shape(ids)[0], tf.shape(ids)[-1]
    width = _bucket(length, tf.maximum(length, longest))
    order = tf.argsort(row_lengths(inputs), stable=True)
    parts = tf.maximum(1, -(-count // rows))
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
        own = _bucket(tf.reduce_max(row_lengths(part)), width)
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


def _bucket(length: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """`length` rounded up to a multiple of `BUCKET`, at most `most`."""
    length = tf.maximum(length, 1)  # the maximum over no rows is negative
    return tf.minimum(BUCKET * -(-length // BUCKET), most)
