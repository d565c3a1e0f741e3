"""Columns of texts: checked, as tensors, and in parts that fit in memory."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError


def take(values: Any, numbers: Any) -> Any:
    """The rows `numbers`, int [B], of every tensor, ragged or not, in the nest `values`."""
    return tf.nest.map_structure(lambda value: tf.gather(value, numbers), values)


def select(values: dict, names: Iterable[str]) -> dict:
    """Those of `names` that are in `values`, with their values."""
    return {name: values[name] for name in names if name in values}


def with_static_rows(data: tf.data.Dataset, rows: int) -> tf.data.Dataset:
    """The same batches with a static number of rows, which gradient accumulation needs to cut them into parts."""

    def set_rows(*batch: Any) -> Any:
        return tf.nest.map_structure(lambda x: tf.ensure_shape(x, [rows, *x.shape[1:]]), batch)

    return data.map(set_rows)


def part_numbers(texts: Sequence[Any], part_bytes: int) -> list[np.ndarray]:
    """Splits the numbers of N encoded texts into runs of about `part_bytes` bytes; one empty run for no texts."""
    sizes = sum(_num_bytes(text) for text in texts)
    part = np.cumsum(sizes) // part_bytes
    return np.split(np.arange(len(part)), np.flatnonzero(np.diff(part)) + 1)


def _num_bytes(texts: Any) -> np.ndarray:
    """Bytes of each text, or list of words, int64 [N]."""
    sizes = tf.strings.length(texts)
    if sizes.shape.rank == 2:
        sizes = tf.reduce_sum(sizes, 1)
    return sizes.numpy().astype(np.int64)


def as_columns(texts: Any) -> tuple:
    """A tuple of columns; a column alone becomes a tuple of one."""
    return texts if isinstance(texts, tuple) else (texts,)


def as_rows(texts: Sequence[Any], names: Sequence[str], filled: Collection[str] = ()) -> tuple:
    """Columns of texts, called `names`, as string tensors [N] of one length.

    Raises:
        InputError: the lengths differ, a text is not a string, or one in a column of `filled` is empty.
    """
    columns, counts = [], []
    for text, name in zip(texts, names, strict=False):
        columns.append(as_strings(text, name, name not in filled))
        counts.append(f"{columns[-1].shape[0]} of {name}")
    if any(column.shape[0] != columns[0].shape[0] for column in columns):
        raise InputError(f"Received texts of different numbers: {', '.join(counts)}.")
    return tuple(columns)


def as_strings(texts: Any, what: str = "text", allow_empty: bool = True) -> tf.Tensor:
    """A list, array or tensor of strings as a string tensor [N].

    Raises:
        InputError: an item is not a string, or is empty where that is not allowed; names its row and `what` it is.
    """
    if tf.is_tensor(texts):
        return texts
    texts = np.asarray(texts, dtype=object)
    if texts.ndim != 1:
        raise InputError(f"Received: {what}s of shape {texts.shape}. Expected a list of strings.")
    for row, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise InputError(f"Row {row}: the {what} is {text!r}, which is not a string.")
        if not allow_empty and not text.strip():
            raise InputError(f"Row {row}: the {what} is empty.")
    return tf.constant(texts, tf.string)


def is_text(x: Any) -> bool:
    """Whether x is texts, not data for Keras: strings or lists of words in a list, array, tensor or tuple."""
    first = x[0] if isinstance(x, tuple) and x else x
    if tf.is_tensor(first):
        return first.dtype == tf.string
    if hasattr(first, "to_numpy"):  # a column of a table
        first = first.to_numpy()
    if isinstance(first, np.ndarray):
        return first.dtype.kind in "OUST"
    while isinstance(first, list) and first:  # lists of words may be empty: the first one with words decides
        first = next((item for item in first if item != []), None)
    return isinstance(first, str | bytes) and first is not x


def as_python(texts: Any) -> Any:
    """Texts or lists of words, also in tensors, as Python strings; invalid bytes are replaced, as in the tokenizer."""
    if isinstance(texts, str):
        return texts
    if isinstance(texts, bytes):
        return texts.decode("utf-8", "replace")
    if isinstance(texts, tf.RaggedTensor):
        texts = texts.to_list()
    elif tf.is_tensor(texts):
        texts = texts.numpy().tolist()
    return list(map(as_python, texts))
