"""Parallel files of lines: the nth line of each file belongs to the nth example, as translations are published."""

import re
from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import BadRows, read_lines

_BRACES = re.compile(r"\{([^{}/]+(?:,[^{}/]+)+)\}")


def is_parallel(path: Any) -> bool:
    """Whether a path names several files, as "train.{en,de}" does."""
    return _BRACES.search(str(path)) is not None


def read_parallel(path: Any, bad: BadRows, encoding: str | None = None) -> Iterator[tuple[str, dict]]:
    """Streams (place, {name: line}) of the files "train.{en,de}"; the names are those in the braces, in their order.

    Raises:
        InputError: the path has no such names, a file cannot be read, or the files have different numbers of lines.
    """
    braces = _BRACES.search(str(path))
    if braces is None:
        raise InputError(f"{path} names one file. Name parallel files with braces: train.{{en,de}}.")
    names = [name.strip() for name in braces[1].split(",")]
    paths = [f"{str(path)[: braces.start()]}{name}{str(path)[braces.end() :]}" for name in names]
    files = [read_lines(part, encoding) for part in paths]
    while True:
        lines = [next(file, None) for file in files]
        if not all(lines):
            break
        problem = next((line.problem for line in lines if line and line.problem), "")
        if problem:
            bad(lines[0].place, problem)
        else:
            yield lines[0].place, {name: line.text.rstrip("\r\n") for name, line in zip(names, lines, strict=True)}
    if any(lines):
        raise InputError(f"{_line_counts(paths, encoding)}. Parallel files have a line for each example: none more.")


def _line_counts(paths: list[str], encoding: str | None) -> str:
    counts = []
    for path in paths:
        counts.append(f"{path} has {sum(1 for _ in read_lines(path, encoding)):,} lines")
    return " and ".join(counts)
