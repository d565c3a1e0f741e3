"""Texts and targets from data files of any format."""

import dataclasses
import itertools
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bert_tf.core.config import from_dict
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.files import read_json, write_text
from bert_tf.core.hub import resolve_folder
from bert_tf.core.registry import tasks
from bert_tf.core.settings import Settings, setting
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.conll import read_conll
from bert_tf.data.readers.parallel import is_parallel, read_parallel
from bert_tf.data.readers.passages import read_passages
from bert_tf.data.readers.squad import read_squad
from bert_tf.data.readers.tables import read_csv, read_jsonl, read_tsv
from bert_tf.data.readers.tfds import PREFIX, read_tfds
from bert_tf.text.lines import is_utf8

READERS: dict[str, Any] = {
    "tsv": read_tsv,
    "csv": read_csv,
    "jsonl": read_jsonl,
    "conll": read_conll,
    "squad": read_squad,
    "parallel": read_parallel,
    "passages": read_passages,
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
_TARGETS = ("label", "labels", "score", "tags", "answers", "target")  # usual target columns; the first that a row has
_FIRST_ANSWER = "answer"  # column of SQuAD's files, for a task that reads answers
_ROW = re.compile(r"^Row (\d+)")


@dataclasses.dataclass(frozen=True)
class FileConfig(Settings):
    """How the rows of a file are read."""

    format: str = setting("auto", "auto: by the ending of the file's name, without .gz", choices=("auto", *READERS))
    columns: tuple[str, ...] = setting(
        (),
        "text columns, in order; empty: the task's usual ones; CoNLL: the first; parallel files: all but the last",
    )
    target: str | None = setting(
        None,
        "target column; none: label, labels, score, tags, answers or target; CoNLL, parallel files: the last",
    )
    separator: str = setting(",", "between several labels in one cell")
    find_answers: bool = setting(False, "search the context for answers at a wrong position")
    skip_bad_rows: bool = setting(False, "skip and count bad rows instead of stopping; the same as --skip_bad_rows")
    encoding: str | None = setting(None, "of the file, such as gb18030 or cp1252; none: UTF-8. The same as --encoding")

    def __post_init__(self):
        super().__post_init__()
        if self.encoding is not None:
            is_utf8(self.encoding)  # refuses unknown names

    def format_of(self, path: Any) -> str:
        """The format of a file: the one set, or by its name; `ConfigError` for an unknown name."""
        if str(path).startswith(PREFIX):
            return "tfds"
        if self.format != "auto":
            return self.format
        if is_parallel(path):
            return "parallel"
        end = pathlib.Path(str(path).removesuffix(".gz")).suffix
        if end not in _ENDS:
            raise ConfigError(f"{path}: the name does not tell the format. Set format to one of {', '.join(READERS)}.")
        return _ENDS[end]


def files_of(folder: Any) -> FileConfig:
    """The `FileConfig` of the data set that the model in `folder` was trained on, or the default one.

    Raises:
        ConfigError: the file in the folder is not a `FileConfig`.
    """
    path = resolve_folder(folder, weights=False) / OF_MODEL
    if not path.exists():
        return FileConfig()
    try:
        return from_dict(FileConfig, read_json(path))
    except ValueError as error:
        raise ConfigError(f"{path} cannot be used: {error}") from None


def write_files_of(folder: pathlib.Path, config: FileConfig) -> None:
    """Writes into a model's folder what `files_of` reads."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(FileConfig)}
    write_text(folder / OF_MODEL, json.dumps(values, indent=2) + "\n")


@dataclasses.dataclass
class Examples:
    """N rows of a file.

    Attributes:
        path: of the file.
        texts: tuple of columns, lists of N texts.
        targets: list of N targets; None: there are none.
        places: where each row is in the file, such as "line 3", for messages.
        bad: handles bad rows.
        kept: other columns by name, lists of N values, of those that were asked for.
    """

    path: str
    texts: tuple
    targets: list | None
    places: list
    bad: BadRows
    kept: Mapping[str, list] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.places)

    def take(self, numbers: Sequence[int]) -> "Examples":
        """The rows with these numbers."""

        def chosen(column: list) -> list:
            return [column[number] for number in numbers]

        texts = tuple(map(chosen, self.texts))
        targets = None if self.targets is None else chosen(self.targets)
        kept = {name: chosen(column) for name, column in self.kept.items()}
        return dataclasses.replace(self, texts=texts, targets=targets, places=chosen(self.places), kept=kept)

    def with_targets(self, targets: list | None) -> "Examples":
        """The same texts with other targets."""
        return dataclasses.replace(self, targets=targets)

    def checked(self, task: Any) -> "Examples":
        """The rows that the model `task` can learn from.

        Raises:
            InputError: the model refuses a row, and bad rows may not be skipped, or no row is left; names file and
                place.
        """
        reason = self._refused(task)
        if reason is None:
            return self
        # The model names the first bad row only: find the others one by one.
        good = []
        for number, place in enumerate(self.places):
            reason = self.take([number])._refused(task)
            if reason is None:
                good.append(number)
            else:
                self.bad(place, _ROW.sub("", reason).lstrip(",: "))
        if not good:
            raise InputError(f"{self.path} has no good row; the first bad one: {self.bad.first}")
        return self.take(good)

    def _refused(self, task: Any) -> str | None:
        """Why the model refuses a row; None if it accepts all. `InputError` for reasons that no single row has."""
        try:
            task.preprocessor.encode_examples(self.texts, self.targets)
        except InputError as error:
            if _ROW.match(str(error)):  # about a single row
                return str(error)
            raise InputError(f"{self.path}: {error}") from None
        return None


def read_examples(
    path: Any, config: FileConfig, spec: Any, with_targets: bool = True, kept: Sequence[str] = ()
) -> Examples:
    """The rows of a file as `Examples`, without a model's checks of their content; arguments as for `stream_rows`.

    `kept` names other columns, which the `Examples` then have.

    Raises:
        InputError: the file cannot be read, has no good row, or has a bad row and they may not be skipped; a column of
            `kept` is missing.
    """
    bad = BadRows(path, config.skip_bad_rows)
    rows = list(stream_rows(path, config, spec, bad, with_targets))
    if not rows and bad.count:
        raise InputError(f"{path} has no good row; the first bad one: {bad.first}")
    if not rows:
        raise InputError(f"{path} has no rows.")
    places, texts, targets, others = zip(*rows, strict=True)  # rows to columns
    columns = tuple(map(list, itertools.zip_longest(*texts, fillvalue="")))  # "": an optional text is left out
    found = None if targets[0] is None else list(targets)  # all rows have one or none has
    return Examples(str(path), columns, found, list(places), bad, {name: _column(path, name, others) for name in kept})


def _column(path: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> list:
    """The values under one name, of each row; `InputError` for a row without it."""
    for row in rows:
        if name not in row:
            known = ", ".join(map(str, row)) or "none"
            raise InputError(f"{path} has no column {name!r} besides texts and targets. Columns: {known}.")
    return [row[name] for row in rows]


class Row(NamedTuple):
    """A row of a file: its place, its texts in the task's order, its target, and all other columns by name."""

    place: str
    texts: tuple
    target: Any
    others: Mapping[str, Any]


def stream_rows(path: Any, config: FileConfig, spec: Any, bad: BadRows, with_target: bool = True) -> Iterator[Row]:
    """Streams the rows of a file.

    Args:
        path: a file, or "tfds:NAME:SPLIT".
        config: `FileConfig`.
        spec: `TaskSpec`; it has the usual columns, for a config that names none.
        bad: `BadRows` for the path.
        with_target: whether targets are read, and rows without one are bad; if not, they are among the other columns.
            Where the file has no target column, the targets are None.

    Raises:
        InputError: the file cannot be read, lacks a column, or is for another task.
    """
    columns = None
    may_differ = config.format_of(path) == "jsonl" and not config.columns  # else all rows have the same columns
    for place, row in _rows(path, config, bad):
        if columns is None:
            columns, target = _columns(path, row, config, spec, with_target)
        own = _own_columns(row, columns, spec) if may_differ else columns
        missing = _first_missing(row, (*own, target))
        if missing is None:
            others = {name: value for name, value in row.items() if name not in (*columns, *own, target)}
            cells = _with_paths(path, tuple(map(row.get, own)), spec)
            yield Row(place, spec.texts_of(cells), _stripped(row.get(target)), others)
        else:
            bad(place, f"it has no {missing!r}; it has: {', '.join(row)}")


def _with_paths(path: Any, cells: tuple, spec: Any) -> tuple:
    """The cells of a row, of which those that name files, relative to the data file's folder, become absolute paths."""
    if not spec.files:
        return cells
    folder = pathlib.Path(path).absolute().parent
    found = []
    for name, cell in zip(spec.texts, cells, strict=False):
        is_name = name in spec.files and isinstance(cell, str) and cell.strip()
        found.append(str(folder / cell.strip()) if is_name else cell)
    return tuple(found)


def _stripped(target: Any) -> Any:
    """A target without white space around its text, or around each text of a list: "pos " is the label "pos"."""
    if isinstance(target, list):
        return list(map(_stripped, target))
    return target.strip() if isinstance(target, str) else target


def _first_missing(row: dict, names: Iterable[str | None]) -> str | None:
    """The first of the columns, without None, that the row has no value for."""
    for name in names:
        if name is not None and row.get(name) is None:
            return name
    return None


def _rows(path: Any, config: FileConfig, bad: BadRows) -> Iterator[tuple[str, dict]]:
    """Streams (place, {column: value}) from a file of any format."""
    format = config.format_of(path)
    if format == "squad":
        rows = read_squad(path, bad, config.find_answers, config.encoding)
        return _with_first_answer(rows) if _FIRST_ANSWER in config.columns else rows
    if format == "conll":
        word = config.columns[0] if config.columns else "0"
        return read_conll(path, bad, word, config.target or "-1", config.encoding)
    if format == "tfds":
        return read_tfds(path)
    return READERS[format](path, bad, config.encoding)


def _with_first_answer(rows: Iterator[tuple[str, dict]]) -> Iterator[tuple[str, dict]]:
    """Rows of SQuAD with the text of their first answer as a column of its own; None where there is none."""
    for place, row in rows:
        texts = [answer.get("text") for answer in row["answers"] if isinstance(answer, dict)]
        yield place, row | {_FIRST_ANSWER: next(iter(texts), None)}


def _columns(
    path: Any, row: dict, config: FileConfig, spec: Any, with_target: bool
) -> tuple[tuple[str, ...], str | None]:
    """The names of the text columns and of the target column; None where it is not wanted or not there."""
    format = config.format_of(path)
    # Some formats are of one task only: SQuAD's, for instance.
    readers = [other.name for other in tasks().values() if format in other.file_formats]
    if readers and spec.name not in readers:
        raise InputError(
            f"{path} is read as {format}, which is for {' or '.join(readers)}; the model's task is {spec.name}. "
            "Give a file for that task, or set format."
        )
    columns: tuple[str, ...]
    target: str | None
    if format == "conll":
        columns, target = ("words",), "tags"
    elif format == "squad":
        columns, target = config.columns or ("question", "context"), config.target or "answers"
    elif format == "parallel":
        *others, last = row
        columns, target = config.columns or tuple(others), config.target or last
    else:
        columns = config.columns or _usual_columns(row, spec)
        target = config.target or next(filter(row.__contains__, _TARGETS), None)
    if not with_target:
        target = None
    for name in (*columns, target):
        if name is not None and name not in row:
            raise InputError(
                f"{path} has no column {name!r}; it has: {', '.join(row)}. Name them with columns and target."
            )
    return columns, target


def _own_columns(row: dict, columns: tuple[str, ...], spec: Any) -> tuple[str, ...]:
    """The text columns of a JSON object: `columns`, those of the file's first one, with more or fewer optional ones."""
    order = spec.training_columns if set(columns) <= set(spec.training_columns) else spec.texts
    present = [name for name in order if row.get(name) is not None]
    optional = columns[1:] if spec.last_text_is_list else spec.optional_texts
    last = order.index(present[-1]) if present else 0
    wanted = {name for name in columns if name not in optional or order.index(name) < last}
    return tuple(name for name in order if name in present or name in wanted)


def _usual_columns(row: dict, spec: Any) -> tuple[str, ...]:
    """The task's columns for training, those that the row has; else its texts, without optional ones it lacks."""
    if columns := tuple(filter(row.__contains__, spec.training_columns)):
        return columns
    return tuple(name for name in spec.texts if name in row or name not in spec.optional_texts)
