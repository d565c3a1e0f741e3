"""Columns of texts: checked, as tensors, and in parts that fit in memory."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError


def take(values: Any, numbers: Any) -> Any:
    """The rows `numbers` of every tensor, ragged or not, in the nest `values`."""
    return tf.nest.map_structure(lambda value: tf.gather(value, numbers), values)


def part_numbers(texts: Sequence[Any], part_bytes: int) -> list[np.ndarray]:
    """Splits the numbers of N encoded texts into runs of about `part_bytes` bytes; one, empty, for no texts."""
    sizes = sum(_num_bytes(text) for text in texts)
    part = np.cumsum(sizes) // part_bytes
    return np.split(np.arange(len(part)), np.flatnonzero(np.diff(part)) + 1)


def _num_bytes(texts: Any) -> np.ndarray:
    """Bytes of each text, or list of words, int64 [N]."""
    sizes = tf.strings.length(texts)
    sizes = tf.reduce_sum(sizes, 1) if sizes.shape.rank == 2 else sizes
    return sizes.numpy().astype(np.int64)


def as_rows(texts: Sequence[Any], names: Sequence[str], filled: Collection[str] = ()) -> tuple:
    """Columns of texts, called `names`, as string tensors of one length [N]; those in `filled` may not be empty."""
    texts = tuple(as_strings(text, name, name not in filled) for text, name in zip(texts, names, strict=False))
    if len({text.shape[0] for text in texts}) > 1:
        counts = ", ".join(f"{text.shape[0]} of {name}" for text, name in zip(texts, names, strict=False))
        raise InputError(f"Received texts of different numbers: {counts}.")
    return texts


def as_strings(texts: Any, what: str = "text", allow_empty: bool = True) -> tf.Tensor:
    """A list, array or tensor of strings as a string tensor [N].

    Raises:
        InputError: an item is no string, or an empty one that is not allowed; names its row and `what` it is.
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
    """Whether x is texts, and not data for Keras: strings or lists of words in a list, array, tensor or tuple."""
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


def as_python(texts: Any) -> Any:
    """Texts or lists of words, tensors too, as Python strings; invalid bytes as the tokenizer reads them."""
    if tf.is_tensor(texts):
        texts = texts.to_list() if isinstance(texts, tf.RaggedTensor) else texts.numpy().tolist()
    if isinstance(texts, str | bytes):
        return texts if isinstance(texts, str) else texts.decode("utf-8", "replace")
    return [as_python(text) for text in texts]
