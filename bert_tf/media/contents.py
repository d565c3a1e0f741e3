"""Contents of the files that a column names, each file read and checked once."""

import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.core.files import open_regular

MAX_BYTES = 64 << 20  # of a file


def column_contents(values: Any, what: str, check: Callable[[bytes], None], required: bool = False) -> tf.Tensor:
    """Paths (str or `Path`), contents (bytes) or "" as contents, a string tensor [N]; tensors hold contents.

    Args:
        values: N of them.
        what: the name of the column, for messages.
        check: raises `InputError` for contents that cannot be used.
        required: whether "" is refused.

    Raises:
        InputError: a value is none of these, or its file is missing, unreadable or refused by `check`; names its row.
    """
    if tf.is_tensor(values):
        values = list(values.numpy())
    if isinstance(values, str | bytes):
        raise InputError(f"Received one {what}. Give a list with one for each text.")
    known: dict[Any, bytes] = {}
    contents = []
    for row, value in enumerate(values):
        key = value if isinstance(value, str | bytes | os.PathLike) else None
        if key not in known:
            try:
                known[key] = _content(value, what, check, required)
            except InputError as error:
                raise InputError(f"Row {row}: {error}") from None
        contents.append(known[key])
    return tf.constant(contents, tf.string, shape=[len(contents)])


def _content(value: Any, what: str, check: Callable[[bytes], None], required: bool) -> bytes:
    if not isinstance(value, str | bytes | os.PathLike):
        raise InputError(f"the {what} is {value!r}. Give the path of a file, or its contents as bytes.")
    if value in ("", b""):
        if required:
            raise InputError(f"the {what} is empty.")
        return b""
    name = f"the {what}"
    if isinstance(value, bytes):
        content = value
    else:
        name = f"the {what} {os.fspath(value)}"
        with open_regular(value) as file:
            content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES >> 20} MiB, the limit.")
    try:
        check(content)
    except InputError as error:
        raise InputError(f"{name} {error}") from None
    return content
