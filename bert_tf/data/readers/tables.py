"""Tables of named columns: TSV, CSV and JSON lines."""

import csv
import json

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import read_lines


def read_tsv(path, bad):
    """Streams (place, {name: text}); the first line has the names, and quotation marks are part of the text."""
    lines = enumerate(read_lines(path), 1)
    rows = ((number, line.rstrip("\r\n").split("\t")) for number, line in lines if line.strip("\r\n"))
    return _named(path, rows, bad)


def read_csv(path, bad):
    """As `read_tsv`, separated by commas; a field in quotation marks may hold commas, line ends and, twice, marks."""
    csv.field_size_limit(2**31 - 1)  # a text may be longer than the 128 KiB that are allowed by default
    return _named(path, _csv_rows(path), bad)


def read_jsonl(path, bad):
    """Streams (place, {name: value}) of a file with one JSON object a line."""
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            bad(f"line {number}", f"no JSON: {error}")
            continue
        if isinstance(row, dict):
            yield f"line {number}", row
        else:
            bad(f"line {number}", f"{line.strip()[:60]!r} is no JSON object")


def _csv_rows(path):
    reader = csv.reader(read_lines(path), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: no CSV: {error}.") from None


def _named(path, rows, bad):
    names = next(rows, (0, []))[1]
    if len(set(names)) < len(names):
        raise InputError(f"{path}, line 1: two columns have the same name: {', '.join(names)}.")
    for number, cells in rows:
        if len(cells) == len(names):
            yield f"line {number}", dict(zip(names, cells, strict=True))
        else:
            bad(f"line {number}", f"{len(cells)} columns, but line 1 names {len(names)}: {', '.join(names)}")
