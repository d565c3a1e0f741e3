"""Lines of data files, and the handling of bad rows, for all readers."""

import pathlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from absl import logging

from bert_tf.core.errors import InputError
from bert_tf.core.files import MAX_TEXT_BYTES, parse_json
from bert_tf.text.lines import MAX_ROW_BYTES, byte_lines, describe_encoding, not_utf8

MAX_ROW_LINES = 100_000  # in a quoted cell
TOO_LONG = f"longer than {MAX_ROW_BYTES >> 20} MiB or {MAX_ROW_LINES:,} lines, the limit of a row"


class BadRows:
    """Handles bad rows of a file: each raises `InputError`, or is counted if rows may be skipped.

    Args:
        path: of the file, for messages.
        skip: whether bad rows may be skipped.

    Attributes:
        count: rows skipped.
        first: the message for the first of them, "" for none.
    """

    def __init__(self, path: Any, skip: bool = False):
        self.path, self.skip = path, skip
        self.count, self.first = 0, ""

    def __call__(self, place: str, reason: str) -> None:
        """Takes the place of a bad row and the reason; raises `InputError` unless rows may be skipped."""
        message = f"{self.path}, {place}: {reason}"
        if not self.skip:
            raise InputError(f"{message} (--skip_bad_rows counts such rows and continues)")
        self.count += 1
        self.first = self.first or message

    def tell(self) -> None:
        """Logs a warning with the number of rows skipped, and the reason for the first."""
        if self.count:
            rows = "row" if self.count == 1 else "rows"
            logging.warning("Left out %d bad %s of %s; the first: %s", self.count, rows, self.path, self.first)


class Line(NamedTuple):
    """A line of a data file; if it has a `problem`, no part of it can be used."""

    number: int  # from 1
    text: str  # with its line feed
    problem: str = ""

    @property
    def place(self) -> str:
        return f"line {self.number}"


def read_lines(path: Any, encoding: str | None = None) -> Iterator[Line]:
    """Streams the lines of a file, plain or `.gz`; those that are too long or not UTF-8 have a problem.

    Args:
        encoding: of the file, by Python's name; None: UTF-8.

    Raises:
        ConfigError: the encoding is unknown.
        InputError: there is no such file, it is not text, or the `.gz` file is incomplete.
    """
    path = pathlib.Path(path)
    look = ""
    ended = True
    for number, line, ends in byte_lines(path, MAX_ROW_BYTES, encoding):
        inside, ended = not ended, ends
        if inside:
            continue  # the rest of a line that is too long
        problem = not_utf8(line, encoding) if ends else TOO_LONG
        if ends and problem and not encoding:
            look = look or describe_encoding(path)
            problem += f". {look}"
        yield Line(number, line.decode("utf-8", "replace") + "\n" if ends else "", problem or "")


def read_document(path: Any, encoding: str | None = None) -> Any:
    """The value of a JSON file, plain or `.gz`; `encoding` as for `read_lines`.

    Raises:
        ConfigError: the encoding is unknown.
        InputError: the file cannot be read, is larger than 256 MiB unpacked, or not JSON in that encoding.
    """
    path = pathlib.Path(path)
    parts, size = [], 0
    for number, line, ends in byte_lines(path, MAX_ROW_BYTES, encoding):
        size += len(line)
        if size > MAX_TEXT_BYTES:
            raise InputError(f"{path} is larger than {MAX_TEXT_BYTES >> 20} MiB, the limit for a JSON document.")
        if problem := not_utf8(line, encoding):
            raise InputError(
                f"{path}, line {number}: {problem}. {'' if encoding else describe_encoding(path)}".rstrip()
            )
        parts.append(line.decode("utf-8") + "\n" * ends)
    return parse_json("".join(parts), str(path))
