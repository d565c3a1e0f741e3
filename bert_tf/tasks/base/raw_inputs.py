"""Texts and targets in any form that Python has for a column, checked, as tensors and as Python values."""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.core.settings import shortened

# N examples

EXAMPLE = 'Give a list of strings, ["a text", "another"], or a tuple of two lists for pairs, (["a"], ["its pair"])'
_HALVES = re.compile("[\ud800-\udfff]")
_LARGEST = float(np.finfo(np.float32).max)
_SCALARS = (str, bytes, bool, int, float, type(None))


def is_text(x: Any) -> bool:
    """Whether x is meant as raw texts: strings, lists of words or columns of a table, and not tensors for Keras.

    Lists of anything but arrays are texts too: they are none of Keras's inputs, and a check of each row names the bad
    one. A dict is, if its first value has strings.
    """
    if isinstance(x, str | bytes) or _is_table(x):
        return True
    if isinstance(x, dict):
        first = next(iter(x.values()), None)
        return is_text(first) and isinstance(_first_of(first), str | bytes)
    if tf.is_tensor(x):
        return x.dtype == tf.string
    if hasattr(x, "to_pylist"):  # a column of Arrow
        return True
    if hasattr(x, "to_numpy"):  # of a table
        x = x.to_numpy()
    if isinstance(x, np.ndarray):
        return x.dtype.kind in "OUST"
    if not isinstance(x, list | tuple):
        return False
    first = _first_of(x)
    return isinstance(first, _SCALARS) or is_text(first)


def _is_table(x: Any) -> bool:
    return hasattr(x, "column_names") or (hasattr(x, "columns") and hasattr(x, "to_numpy"))


def _first_of(x: Any) -> Any:
    """The first item in nested lists that is no list, of columns too; None for empty ones."""
    if hasattr(x, "to_pylist") or (hasattr(x, "to_numpy") and not tf.is_tensor(x)):
        x = as_list(x)
    if isinstance(x, np.ndarray) and x.dtype.kind in "OUST":
        x = x.tolist()
    while isinstance(x, list | tuple):
        x = next((item for item in x if not isinstance(item, list | tuple) or item), None)
    return x


def strings_in(texts: Any) -> Iterator[str]:
    """All strings in columns of texts, of lists of texts or of lists of words."""
    for item in texts:
        if isinstance(item, str):
            yield item
        else:
            yield from strings_in(item)


def as_columns(texts: Any, names: Sequence[str] = ()) -> tuple:
    """A tuple of columns; a column alone becomes a tuple of one, a table or dict its columns.

    Args:
        texts: a column, a tuple of columns, or a table or dict of them.
        names: the columns of a dict, in order. Columns of a table are found by these names where it has them all, else
            they are taken in the table's order.

    Raises:
        InputError: a dict has a column that is not in `names`.
    """
    if isinstance(texts, tuple):
        return texts
    if isinstance(texts, dict):
        if unknown := [name for name in texts if name not in names]:
            raise InputError(f"Received texts called {unknown[0]!r}. Their names are {', '.join(names)}.")
        return tuple(texts[name] for name in names if name in texts)
    if _is_table(texts):
        found = list(getattr(texts, "column_names", None) or texts.columns)
        if set(found) <= set(names):
            found.sort(key=list(names).index)
        return tuple(texts[name] for name in found)
    return (texts,)


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
    """A list, array or tensor of strings, [N] or [N, 1], as a string tensor [N].

    Raises:
        InputError: an item is not a string, or is empty where that is not allowed; names its row and `what` it is.
    """
    if tf.is_tensor(texts):
        return tf.reshape(texts, [-1]) if texts.shape.rank == 2 and texts.shape[1] == 1 else texts
    if isinstance(texts, str | bytes):
        raise InputError(f"Received one string as {what}: {texts[:40]!r}. {EXAMPLE}.")
    if hasattr(texts, "to_pylist"):
        texts = texts.to_pylist()
    texts = np.asarray(texts, dtype=object)
    if texts.ndim == 2 and texts.shape[1] == 1:
        texts = texts[:, 0]
    if texts.ndim != 1:
        raise InputError(f"Received {what}s of shape {texts.shape}. {EXAMPLE}.")
    for row, text in enumerate(texts):
        if not isinstance(text, str | bytes):
            raise InputError(f"Row {row}: the {what} is {text!r}, which is not a string.")
        if not allow_empty and not text.strip():
            raise InputError(f"Row {row}: the {what} is empty.")
    return string_tensor(texts, what)


def string_tensor(texts: np.ndarray, what: str = "text") -> tf.Tensor:
    """Strings, an array of objects [N], as a tensor; `InputError` with the row of one that is no Unicode."""
    try:
        return tf.constant(texts, tf.string)
    except ValueError:
        for row, text in enumerate(texts):
            if isinstance(text, str) and (half := _HALVES.search(text)):
                raise InputError(
                    f"Row {row}: the {what} has \\u{ord(half[0]):x}, half of a surrogate pair. Give whole characters."
                ) from None
        raise


def finite_float32(value: Any) -> bool:
    """Whether a value is a number that float32 can hold."""
    return isinstance(value, int | float | np.number) and abs(value) <= _LARGEST


def as_column(values: Any) -> list:
    """As `as_list`, with [N, 1] as [N]: one Python value per example."""
    values = as_list(values)
    if values and all(isinstance(value, list) and len(value) == 1 for value in values):
        return [value[0] for value in values]
    return values


def as_list(values: Any) -> list:
    """A column as a list of Python values, whether it is a list, an array, a tensor or a column of a table.

    Raises:
        InputError: it is none of these.
    """
    values = _plain(values)
    if not isinstance(values, list):
        raise InputError(f"Received the targets {shortened(values)}. Give a list with one target for each text.")
    return values


def _plain(value: Any) -> Any:
    """Arrays, tensors and columns, also inside of lists and dicts, as lists; numbers of NumPy as Python's."""
    if isinstance(value, _SCALARS) and not isinstance(value, np.generic):
        return value
    if isinstance(value, tf.RaggedTensor):
        return value.to_list()
    if hasattr(value, "to_pylist"):  # of Arrow
        return value.to_pylist()
    if tf.is_tensor(value):
        value = value.numpy()
    elif hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | range):
        return list(map(_plain, value))
    return value


def as_python(texts: Any) -> Any:
    """Texts or lists of words, also in tensors, as Python strings; invalid bytes are replaced, as in the tokenizer."""
    texts = decoded(texts)
    return texts if isinstance(texts, str) else list(map(as_python, as_list(texts)))


def decoded(value: Any) -> Any:
    """Bytes as a string, in which invalid bytes are replaced; any other value unchanged."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def count(values: Any) -> int:
    """The number of examples in a column of any form."""
    shape = getattr(values, "shape", None)
    if shape is not None and len(shape):
        return int(shape[0])
    return len(values) if isinstance(values, list | tuple) else len(as_list(values))
