"""Tables of named columns: TSV, CSV and JSON lines."""

import csv
import json
from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import BadRows, read_lines


def read_tsv(path: Any, bad: BadRows) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: text}); the first line has the names, and quotation marks are part of the text.

    Raises:
        InputError: two columns have the same name.
    """
    return _named(path, _tsv_rows(path), bad)


def read_csv(path: Any, bad: BadRows) -> Iterator[tuple[str, dict]]:
    """As `read_tsv`, separated by commas; quoted fields may contain commas, line ends and doubled quotation marks.

    Raises:
        InputError: two columns have the same name, or a quoted field does not end.
    """
    csv.field_size_limit(2**31 - 1)  # texts may be longer than the default limit of 128 KiB
    return _named(path, _csv_rows(path), bad)


def read_jsonl(path: Any, bad: BadRows) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: value}) of a file with one JSON object per line; other lines are bad."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            bad(f"line {number}", f"not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield f"line {number}", row
        else:
            bad(f"line {number}", f"{line.strip()[:60]!r} is not a JSON object")


def _tsv_rows(path: Any) -> Iterator[tuple[int, list[str]]]:
    """Streams (line number, cells), without blank lines."""
    for number, line in enumerate(read_lines(path), 1):
        if line.strip("\r\n"):
            yield number, line.rstrip("\r\n").split("\t")


def _csv_rows(path: Any) -> Iterator[tuple[int, list[str]]]:
    """Streams (number of the last line, cells), without blank lines."""
    reader = csv.reader(read_lines(path), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not CSV: {error}.") from None


def _named(path: Any, rows: Iterator[tuple[int, list[str]]], bad: BadRows) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: cell}); the names are the first row."""
    names = next(rows, (0, []))[1]
    if len(set(names)) < len(names):
        raise InputError(f"{path}, line 1: two columns have the same name: {', '.join(names)}.")
    for number, cells in rows:
        if len(cells) == len(names):
            yield f"line {number}", dict(zip(names, cells, strict=True))
        else:
            bad(f"line {number}", f"{len(cells)} columns, but line 1 names {len(names)}: {', '.join(names)}")
