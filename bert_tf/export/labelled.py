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
    rows = list(_rows(path))
    if not rows:
        raise InputError(f"{path} has no rows.")
    target, names = _columns(path, rows[0], model)
    for number, row in rows:
        if missing := [name for name in (target, *names) if name not in row]:
            raise InputError(f"{path}, line {number}: no {missing[0]!r} as in the first row; found {', '.join(row)}.")
    texts = tuple([row[name] for _, row in rows] for name in names)
    targets = [_target(row[target], getattr(model, "labels", ())) for _, row in rows]
    return (texts if len(texts) > 1 else texts[0]), targets


def _columns(path, first, model):
    """The name of the target and those of the texts."""
    number, row = first
    target = next((name for name in TARGETS if name in row), None)
    others = [name for name in row if name != target]
    if target is None or not others:
        raise InputError(
            f"{path}, line {number}: found {', '.join(row)}. A row needs one of {', '.join(TARGETS)}, and texts."
        )
    return target, [name for name in model.TEXTS if name in others] or others


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
