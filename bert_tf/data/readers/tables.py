"""Tables of named columns: TSV, CSV and JSON lines."""

import collections
import csv
import re
from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.files import parse_json
from bert_tf.data.readers.bad_rows import MAX_ROW_LINES, TOO_LONG, BadRows, Line, read_lines
from bert_tf.text.lines import MAX_ROW_BYTES

_Cells = tuple[str, list[str], str]  # place of a row, its cells, and why it cannot be used or ""


def read_tsv(path: Any, bad: BadRows, encoding: str | None = None) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: text}); the first line has the names, and quotation marks are part of the text.

    Raises:
        InputError: the names cannot be read, or two columns have the same one.
    """
    return _named(path, _tsv_rows(read_lines(path, encoding)), bad)


def read_csv(path: Any, bad: BadRows, encoding: str | None = None) -> Iterator[tuple[str, dict]]:
    """As `read_tsv`, separated by commas; quoted fields may contain commas, line ends and doubled quotation marks.

    A quotation mark that is not closed makes its line bad; reading continues with the next one.
    """
    csv.field_size_limit(2 * MAX_ROW_BYTES)  # rows are limited, not fields
    return _named(path, _csv_rows(read_lines(path, encoding)), bad)


def read_jsonl(path: Any, bad: BadRows, encoding: str | None = None) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: value}) of a file with one JSON object per line; other lines are bad."""
    for line in read_lines(path, encoding):
        if line.problem:
            bad(line.place, line.problem)
        elif line.text.strip():
            row, problem = parse_row(line.text)
            if problem:
                bad(line.place, problem)
            else:
                yield line.place, row


def parse_row(text: str) -> tuple[dict, str]:
    """The JSON object in a line and "", or {} and why there is none."""
    try:
        row = parse_json(text, "")
    except InputError as error:
        return {}, str(error).removeprefix(": ")
    if not isinstance(row, dict):
        return {}, f"{text.strip()[:60]!r} is not a JSON object"
    return row, ""


def _tsv_rows(lines: Iterator[Line]) -> Iterator[_Cells]:
    """Streams the rows, without blank lines."""
    for line in lines:
        if line.problem or line.text.strip("\r\n"):
            yield line.place, line.text.rstrip("\r\n").split("\t"), line.problem


def _csv_rows(lines: Iterator[Line]) -> Iterator[_Cells]:
    """Streams the rows, without blank lines."""
    again: collections.deque[Line] = collections.deque()  # lines after a bad one that were read with it
    while True:
        row: list[Line] = []
        try:
            cells = next(csv.reader(_texts_of_row(row, again, lines), strict=True), None)
        except csv.Error as error:
            opening = _opening_line(row)
            again.extendleft(reversed(row[opening + 1 :]))
            yield row[opening].place, [], str(error) if str(error) == TOO_LONG else f"not CSV: {error}"
            continue
        if cells is None:
            return
        unusable = next((line for line in row if line.problem), None)
        if unusable:
            yield unusable.place, [], unusable.problem
        elif cells:
            yield row[-1].place, cells, ""


def _texts_of_row(row: list[Line], again: collections.deque[Line], lines: Iterator[Line]) -> Iterator[str]:
    """Streams lines, first those to be read again, as long as the reader wants more for a row; adds them to `row`."""
    size = 0
    while line := again.popleft() if again else next(lines, None):
        row.append(line)
        size += len(line.text)
        if size > MAX_ROW_BYTES or len(row) > MAX_ROW_LINES:
            raise csv.Error(TOO_LONG)
        yield line.text


def _opening_line(row: list[Line]) -> int:
    """The line, counted from 0, that opens the last quoted field; the last line where none is quoted."""
    text = "".join(line.text for line in row)
    opened, quoted, closed_at = None, False, -2
    for mark in re.finditer('"', text):
        place = mark.start()
        if quoted:
            quoted, closed_at = False, place
        elif place == closed_at + 1:  # a doubled mark inside of the field
            quoted = True
        elif not place or text[place - 1] in ",\n":
            opened, quoted = place, True
    return len(row) - 1 if opened is None else text.count("\n", 0, opened)


def _named(path: Any, rows: Iterator[_Cells], bad: BadRows) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: cell}); the names are the first row."""
    first, names, problem = next(rows, ("line 1", [], ""))
    if problem:
        raise InputError(f"{path}, {first}: {problem}")
    names = [name.strip() for name in names]
    if len(set(names)) < len(names):
        raise InputError(f"{path}, {first}: two columns have the same name: {', '.join(names)}.")
    for place, cells, problem in rows:
        if not problem and len(cells) != len(names):
            problem = f"{len(cells)} columns, but {first} names {len(names)}: {', '.join(names)}"
        if problem:
            bad(place, problem)
        else:
            yield place, dict(zip(names, cells, strict=True))
