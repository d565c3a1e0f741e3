"""Folders of SavedModels: their versions, whose names are numbers as in TF Serving, and the names of classes."""

import pathlib
from collections.abc import Iterable, Iterator

LARGEST_VERSION = 2**63 - 1  # versions are int64


def numbered(paths: Iterable[pathlib.Path]) -> Iterator[tuple[int, pathlib.Path]]:
    """(version, path) of the paths whose names are versions."""
    for path in paths:
        if path.name.isascii() and path.name.isdigit() and int(path.name) <= LARGEST_VERSION:
            yield int(path.name), path


def read_labels(folder: pathlib.Path) -> list[str]:
    """Names of the classes, from the labels.txt that the export writes to the assets; [] without one."""
    files = sorted(folder.glob("labels.txt")) + sorted(folder.glob("assets*/labels.txt"))
    if not files:
        return []
    return files[0].read_text(encoding="utf-8").removesuffix("\n").split("\n")
