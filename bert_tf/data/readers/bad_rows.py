"""Lines of data files, and the handling of bad rows, for all readers."""

import gzip
import pathlib
import zlib
from collections.abc import Iterator
from typing import Any

from absl import logging

from bert_tf.core.errors import InputError


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


def read_lines(path: Any) -> Iterator[str]:
    """Streams the lines of a UTF-8 file, plain or `.gz`, with their line ends.

    Raises:
        InputError: there is no such file, it is not UTF-8, or the `.gz` file is incomplete.
    """
    path = pathlib.Path(path)
    number = 0
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        # "utf-8-sig" drops a byte order mark, which would become part of the first column's name.
        with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
            for line in file:
                number += 1
                yield line
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 after line {number}: {error.reason}.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is not a complete .gz file: {error} (after line {number}).") from None
    except (FileNotFoundError, IsADirectoryError):
        raise InputError(f"No such file: {path} (looked for from {pathlib.Path.cwd()}).") from None
