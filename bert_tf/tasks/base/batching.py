"""Batches for training and scoring tasks, in an order that can begin at any batch."""

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.data.pipeline.batch_samplers import BatchSampler, LengthGroupedSampler, SequentialSampler

_MEASURED_BYTES = 2**22  # of text tokenized at once


def make_batches(task, texts, targets, plan, start=0, repeat=1):
    """The batches of a task as `tf.data`; that at position k is a function of the plan's seed and k alone.

    Args:
        texts, targets: as the task's `encode_texts` and `encode_targets` give them, N rows; targets may be None.
        plan: a `BatchPlan`. One that shuffles puts rows of about one length together,
            so that little padding is computed.
        start: the position of the first batch, counted over epochs.
        repeat: how many epochs; None never ends.
    """
    if plan.shuffle:
        sampler: BatchSampler = LengthGroupedSampler(plan, measure(task, texts))
    else:
        sampler = SequentialSampler(plan, len(texts[0]), None)

    def build(numbers):
        if targets is None:
            return task.preprocess(take(texts, numbers))
        return task.to_batch(take(texts, numbers), take(targets, numbers))

    return build_batches(sampler, build, start, repeat)


def build_batches(sampler, build, start=0, repeat=1):
    """As `make_batches`, of batches that `build` makes from the numbers of the examples that a `BatchSampler` chose."""
    size = sampler.plan.batch_size if sampler.plan.drop_remainder else None

    def fetch(number):
        numbers = tf.numpy_function(lambda number: sampler.batch(int(number)).examples, [number], tf.int64)
        return build(tf.ensure_shape(numbers, [size]))

    return sampler.dataset(fetch, start, repeat)


def take(values, numbers):
    """The rows `numbers` of every tensor, ragged or not, in the nest `values`."""
    return tf.nest.map_structure(lambda value: tf.gather(value, numbers), values)


def measure(task, texts):
    """Pieces in the row of each of the N texts, int [N], as the task's `preprocess` makes it."""
    sizes = sum(tf.strings.length(text).numpy().astype(np.int64) for text in texts)
    part = np.cumsum(sizes) // _MEASURED_BYTES
    lengths = [
        _longest(task.preprocess(take(texts, np.flatnonzero(part == number)))[features.INPUT_MASK])
        for number in np.unique(part)
    ]
    return np.concatenate(lengths) if lengths else np.zeros(0, int)


def _longest(mask):
    """Pieces in each row of a mask [N, S], or in the longest of each row's texts [N, T, S]."""
    lengths = tf.reduce_sum(mask, -1)
    return tf.reduce_max(lengths, -1) if lengths.shape.rank == 2 else lengths


def as_rows(texts, names, filled=()):
    """Columns of texts, called `names`, as string tensors of one length [N]; those in `filled` may not be empty."""
    texts = tuple(as_strings(text, name, name not in filled) for text, name in zip(texts, names, strict=False))
    if len({text.shape[0] for text in texts}) > 1:
        counts = ", ".join(f"{text.shape[0]} of {name}" for text, name in zip(texts, names, strict=False))
        raise InputError(f"Received texts of different numbers: {counts}.")
    return texts


def as_strings(texts, what="text", allow_empty=True):
    """A list, array or tensor of strings as a string tensor [N]; what is none, or empty, raises with its row."""
    if tf.is_tensor(texts):
        return texts
    texts = np.asarray(texts, dtype=object)
    if texts.ndim != 1:
        raise InputError(f"Received: {what}s of shape {texts.shape}. They are a list of strings.")
    for row, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise InputError(f"Row {row}: the {what} is {text!r}, which is no string.")
        if not allow_empty and not text.strip():
            raise InputError(f"Row {row}: the {what} is empty.")
    return tf.constant(texts, tf.string)


def is_text(x):
    """Whether x is texts and not what Keras takes: strings or lists of words in a list, array or tensor, or a tuple."""
    first = x[0] if isinstance(x, tuple) and x else x
    if tf.is_tensor(first):
        return first.dtype == tf.string
    if hasattr(first, "to_numpy"):  # a column of a table
        first = first.to_numpy()
    if isinstance(first, np.ndarray):
        return first.dtype.kind in "OUST"
    while isinstance(first, list) and first:
        first = next((item for item in first if item != []), None)
    return isinstance(first, str | bytes) and first is not x
