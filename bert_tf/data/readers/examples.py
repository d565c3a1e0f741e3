"""Texts and targets from data files of any format."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from bert_tf.core.config import from_dict
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import tasks
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.conll import read_conll
from bert_tf.data.readers.squad import read_squad
from bert_tf.data.readers.tables import read_csv, read_jsonl, read_tsv
from bert_tf.data.readers.tfds import PREFIX, read_tfds

READERS = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "conll": read_conll,
    "squad": read_squad,
    "tfds": read_tfds,
}
_ENDS = {
    ".tsv": "tsv",
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "squad",
    **dict.fromkeys((".conll", ".bio", ".bioes", ".iob", ".txt"), "conll"),
}
OF_MODEL = "data.json"  # in a model's folder: the `FileConfig` of its data set
_TARGETS = ("label", "labels", "score", "tags", "answers")  # usual target columns; the first that a row has
_ROW = re.compile(r"^Row (\d+)")


@dataclasses.dataclass(frozen=True)
class FileConfig:
    """How the rows of a file are read."""

    format: str = "auto"  # by the end of the file's name, .gz aside
    columns: tuple[str, ...] = ()  # of the texts, in order; empty: the task's usual ones. CoNLL: the first
    target: str | None = None  # target column; None: label, labels, score, tags or answers. CoNLL: the last
    separator: str = ","  # between several labels in one cell
    find_answers: bool = False  # whether answers at a wrong position are looked for in the context
    skip_bad_rows: bool = False  # whether bad rows are counted and left out instead of raising

    def __post_init__(self):
        if self.format not in ("auto", *READERS):
            raise ConfigError(f"Received: format={self.format!r}. Formats: auto, {', '.join(READERS)}.")

    def format_of(self, path: Any) -> str:
        """The format of a file, as set or by its name."""
        if str(path).startswith(PREFIX):
            return "tfds"
        if self.format != "auto":
            return self.format
        end = pathlib.Path(str(path).removesuffix(".gz")).suffix
        if end not in _ENDS:
            raise ConfigError(f"{path}: no format is known by this name. Set format to one of {', '.join(READERS)}.")
        return _ENDS[end]


def files_of(folder: Any) -> FileConfig:
    """The `FileConfig` of the data set that the model in `folder` was trained on; or the default one."""
    path = pathlib.Path(folder) / OF_MODEL
    if not path.exists():
        return FileConfig()
    try:
        return from_dict(FileConfig, json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from None


@dataclasses.dataclass
class Examples:
    """N rows of a file: `texts`, a tuple of columns, `targets` (None: there are none) and the `places` of the rows."""

    path: str
    texts: tuple
    targets: list | None
    places: list
    bad: BadRows

    def __len__(self):
        return len(self.places)

    def take(self, numbers: Iterable[int]) -> "Examples":
        """The rows of these numbers."""

        def chosen(column):
            return [column[number] for number in numbers]

        targets = None if self.targets is None else chosen(self.targets)
        return dataclasses.replace(
            self, texts=tuple(map(chosen, self.texts)), targets=targets, places=chosen(self.places)
        )

    def with_targets(self, targets: list | None) -> "Examples":
        """The same texts with other targets."""
        return dataclasses.replace(self, targets=targets)

    def checked(self, task: Any) -> "Examples":
        """The rows that `task` can learn from; others raise `InputError` with file and place, or are left out."""
        reason = self._refused(task)
        if reason is None:
            return self
        good = []
        for number, place in enumerate(self.places):
            reason = self.take([number])._refused(task)
            if reason is None:
                good.append(number)
            else:
                self.bad(place, _ROW.sub("", reason).lstrip(",: "))
        if not good:
            raise InputError(f"{self.path} has no good row; the first: {self.bad.first}")
        return self.take(good)

    def _refused(self, task):
        """Why the task refuses a row, None if it refuses none."""
        try:
            task.preprocessor.encode_examples(self.texts, self.targets)
        except InputError as error:
            if _ROW.match(str(error)):
                return str(error)
            raise InputError(f"{self.path}: {error}") from None
        return None


def read_examples(path: Any, config: FileConfig, spec: Any) -> Examples:
    """The rows of a file as `Examples`, unchecked but for their form; arguments as for `stream_rows`."""
    bad = BadRows(path, config.skip_bad_rows)
    rows = list(stream_rows(path, config, spec, bad))
    if not rows:
        raise InputError(f"{path} has no good row; the first: {bad.first}" if bad.count else f"{path} has no rows.")
    places, texts, targets = zip(*rows, strict=True)
    columns = tuple(list(column) for column in zip(*texts, strict=True))
    return Examples(str(path), columns, None if targets[0] is None else list(targets), list(places), bad)


def stream_rows(
    path: Any, config: FileConfig, spec: Any, bad: BadRows, with_target: bool = True
) -> Iterator[tuple[str, tuple, Any]]:
    """Streams the rows of a file: (place, texts in order, target).

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: `FileConfig`.
        spec: `TaskSpec`, which has the usual columns where the config names none.
        bad: `BadRows` for the path.
        with_target: whether rows without a target are bad; the target is None for all where no column has one.
    """
    columns = None
    for place, row in _rows(path, config, bad):
        if columns is None:
            columns, target = _columns(path, row, config, spec, with_target)
        if missing := [name for name in (*columns, target) if name is not None and row.get(name) is None]:
            bad(place, f"it has no {missing[0]!r}; it has: {', '.join(row)}")
        else:
            yield place, spec.texts_of(tuple(row[name] for name in columns)), row.get(target)


def _rows(path, config, bad):
    format = config.format_of(path)
    if format == "squad":
        return read_squad(path, bad, config.find_answers)
    if format == "conll":
        return read_conll(path, bad, *(config.columns[:1] or ("0",)), config.target or "-1")
    return READERS[format](path, bad)


def _columns(path, row, config, spec, with_target):
    """The names of the columns of texts, and that of the target, None where it is not asked for or not there."""
    format = config.format_of(path)
    readers = [other.name for other in tasks().values() if format in other.file_formats]
    if readers and spec.name not in readers:
        raise InputError(
            f"{path} is read as {format}, which is for {' or '.join(readers)}; the model's task is {spec.name}. "
            "Give a file for that task, or set format."
        )
    if format == "conll":
        columns, target = ("words",), "tags"
    elif format == "squad":
        columns, target = ("question", "context"), "answers"
    else:
        columns = config.columns or _usual_columns(row, spec)
        target = config.target or next((name for name in _TARGETS if name in row), None)
    target = target if with_target else None
    for name in (*columns, target):
        if name is not None and name not in row:
            raise InputError(
                f"{path} has no column {name!r}; it has: {', '.join(row)}. Name them with columns and target."
            )
    return columns, target


def _usual_columns(row, spec):
    if columns := tuple(name for name in spec.training_columns if name in row):
        return columns
    return tuple(name for name in spec.texts if name in row or name not in spec.optional_texts)
