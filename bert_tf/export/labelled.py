"""Texts and what is right for them, from a TSV file or JSON lines, to score an artifact on."""

import csv
import json
import pathlib

from bert_tf.errors import InputError

TARGETS = ("label", "labels", "score", "tags", "answers")


def read_labelled(path, model):
    """(texts, targets) of a file for a task model, as its `score` takes them.

    A .tsv file has a line of names first and no quoting; other files hold a JSON object a line. The target stands
    under one of `TARGETS`, the texts under the model's names for them or else under the other names, in their order. A
    target that is no label but a number is a label's number. What does not fit raises `InputError` with file and line.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"No such file: {path}")
    wanted = [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]
    targets, columns = [], [[] for _ in wanted]
    for number, row in _rows(path):
        target = next((name for name in TARGETS if name in row), None)
        others = [name for name in row if name != target]
        names = wanted if set(wanted) <= set(others) else others[: len(wanted)]
        if target is None or len(names) < len(wanted):
            raise InputError(
                f"{path}, line {number}: found {', '.join(row)}. A row needs one of {', '.join(TARGETS)}, and "
                f"{', '.join(wanted)} under these or other names."
            )
        targets.append(_target(row[target], getattr(model, "labels", ())))
        for column, name in zip(columns, names, strict=True):
            column.append(row[name])
    if not targets:
        raise InputError(f"{path} has no rows.")
    return (tuple(columns) if len(wanted) > 1 else columns[0]), targets


def _target(value, labels):
    return int(value) if isinstance(value, str) and value not in labels and value.isdecimal() else value


def _rows(path):
    """(line, {name: value}) of each row."""
    with path.open(encoding="utf-8", newline="") as file:
        yield from _tsv(path, file) if path.suffix == ".tsv" else _json_lines(path, file)


def _tsv(path, file):
    reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
    for row in reader:
        if None in row or None in row.values():
            raise InputError(f"{path}, line {reader.line_num}: not as many columns as the first line names.")
        yield reader.line_num, row


def _json_lines(path, file):
    for number, line in enumerate(file, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: no JSON: {error}") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: {row!r} is no JSON object.")
        yield number, row
