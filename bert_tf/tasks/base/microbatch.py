"""Inference on many rows in microbatches of similar length; TensorFlow ops only."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_tf.core import features

# N rows, S positions of a row

ROWS = 32  # of a microbatch
BUCKET = 8  # rows are padded to a multiple of so many tokens, so that a server sees few shapes


def call_in_microbatches(
    call: Callable, inputs: dict, longest: int, rows: int = ROWS, dtypes: Any = tf.float32, per_token: bool = False
) -> Any:
    """`call(inputs)` on at most about `rows` rows at a time, which bounds the memory and leaves little padding.

    Args:
        call: from {name: [n, ...]} to a tensor [n, ...] or a dict of them.
        inputs: integer tensors [N, ...]; the encoder's, [N, ..., S], are cut to the longest row of a microbatch.
        longest: most tokens of a row of the model.
        dtypes: what `call` returns.
        per_token: whether that is [n, S, ...]; padded with 0 to the longest row.
    """
    count, length = (tf.shape(inputs[features.INPUT_IDS])[axis] for axis in (0, -1))
    width = _bucket(length, tf.maximum(length, longest))
    order = tf.argsort(_lengths(inputs), stable=True)
    parts = tf.maximum(1, -(-count // rows))
    size = -(-count // parts)

    def split(name, value):
        more = [[0, parts * size - count], *([[0, 0]] * (value.shape.rank - 1))]
        if name in features.ENCODER_INPUTS:
            more[-1] = [0, width - length]
        value = tf.pad(tf.gather(value, order), more)
        return tf.reshape(value, tf.concat([[parts, size], tf.shape(value)[1:]], 0))

    def call_part(part):
        own = _bucket(tf.reduce_max(_lengths(part)), width)
        outputs = call(
            {name: value[..., :own] if name in features.ENCODER_INPUTS else value for name, value in part.items()}
        )
        if not per_token:
            return outputs
        return tf.nest.map_structure(
            lambda value: tf.pad(value, [[0, 0], [0, width - own], *([[0, 0]] * (value.shape.rank - 2))]), outputs
        )

    stacked = {name: split(name, value) for name, value in inputs.items()}  # [parts, size, ...]
    outputs = tf.map_fn(call_part, stacked, fn_output_signature=dtypes, parallel_iterations=1)
    places = tf.math.invert_permutation(order)

    def join(value):
        value = tf.reshape(value, tf.concat([[parts * size], tf.shape(value)[2:]], 0))
        value = tf.gather(value[:count], places)
        return value[:, :length] if per_token else value

    return tf.nest.map_structure(join, outputs)


def _lengths(inputs):
    """Positions up to the last token in each of the rows, or in the longest of a row's texts, int32 [N]."""
    mask = inputs[features.INPUT_MASK]
    ends = mask * tf.range(1, tf.shape(mask)[-1] + 1, dtype=mask.dtype)
    return tf.reduce_max(tf.reshape(ends, [tf.shape(mask)[0], -1]), 1)


def _bucket(length, most):
    return tf.minimum(BUCKET * -(-tf.maximum(length, 1) // BUCKET), most)  # of no rows the longest is negative
