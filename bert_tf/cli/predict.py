"""The verb `predict`."""

import contextlib
import dataclasses
import itertools
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from bert_tf.cli.flags import file_settings
from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.bad_rows import BadRows, read_lines
from bert_tf.data.readers.examples import FileConfig, Row, files_of, stream_rows
from bert_tf.data.readers.tables import parse_row
from bert_tf.tasks import load
from bert_tf.tasks.base.modality_settings import FILES
from bert_tf.text.corpus import find_files
from bert_tf.text.lines import STDIN

_BATCH = 256  # examples answered at once
_TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".conll", ".bio", ".iob", ".bioes")
_OBJECT = re.compile(r'\s*\{\s*("|\}|$)')  # begins a line that must be a JSON object, complete or not


def predict(flags: Any, overrides: Sequence[str]) -> None:
    """Prints one JSON object per example, in the order of the input: its other columns, its texts and the answer.

    Args:
        flags: parsed flags of the verb.
        overrides: "key=value" settings of the `FileConfig`.

    Raises:
        ConfigError: the flags do not go together, or a setting is unknown.
        InputError: the model or a row cannot be used; names its place.
    """
    check_texts(flags)
    # A mistake is reported before the model is loaded.
    config = override(files_of(flags.model), [*file_settings(flags), *overrides])
    model = load(flags.model)
    rows = rows_of(flags, config, model)
    hidden: set[str] = set()
    while batch := list(itertools.islice(rows, _BATCH)):
        for row, answer in zip(batch, _answers(model, batch), strict=True):
            named = dict(zip(model.TEXTS, row.texts, strict=False))  # without optional texts that the row leaves out
            shown = named | answer
            hidden |= row.others.keys() & shown.keys()
            print(json.dumps(dict(row.others) | shown, ensure_ascii=False))
        sys.stdout.flush()
    if hidden:
        logging.warning(
            "The answers have these names too, so the input's columns are left out: %s.", ", ".join(sorted(hidden))
        )


def named_files(flags: Any) -> list[str]:
    """The flags by which files are given, without those in tables."""
    return [name for name in FILES if getattr(flags, name)]


def check_texts(flags: Any) -> None:
    """Raises `ConfigError` for flags that do not go together."""
    named = named_files(flags)
    if flags.input and named:
        raise ConfigError(f"Received: --{named[0]} with --input. In tables, files are named in a column.")
    if bool(flags.text or named) == bool(flags.input):
        raise ConfigError("Give either --text or --input.")
    if flags.text_pair and not flags.text:
        raise ConfigError("Received: --text_pair without --text. In files, second texts are in a column.")
    for name in ("text", "text_pair"):
        if not (getattr(flags, name) or "").isascii() and re.search("[\ud800-\udfff]", getattr(flags, name)):
            raise ConfigError(f"--{name} is not UTF-8. Give it in a file, with --input and --encoding.")


def _answers(model: Any, rows: Sequence[Row]) -> list[dict]:
    """The answers to the texts of examples; errors name the example's place."""
    with errors_at(rows):
        return model.predict_text(columns_of(rows))


def columns_of(rows: Sequence[Row]) -> tuple[list[str], ...]:
    """The columns of texts of rows; "" where a row leaves out an optional text."""
    return tuple(map(list, itertools.zip_longest(*(row.texts for row in rows), fillvalue="")))


@contextlib.contextmanager
def errors_at(rows: Sequence[Row]) -> Iterator[None]:
    """A context in which an `InputError` about the row of a number names that row's place instead."""
    try:
        yield
    except InputError as error:
        raise InputError(re.sub(r"^Row (\d+)", lambda row: rows[int(row[1])].place, str(error))) from None


def rows_of(flags: Any, config: FileConfig, model: Any) -> Iterator[Row]:
    """Streams the examples that --text, --text_pair, --image, --audio, --vectors, --input and --field name.

    Their places are for messages.

    Raises:
        ConfigError: the model reads no second text, or no such files.
        InputError: a file or row cannot be used; names its place.
    """
    files = [name for name in model.TEXTS if name in model.SPEC.files]
    if flags.text_pair and len(model.TEXTS) - len(files) < 2:
        raise ConfigError(f"Received: --text_pair. The model answers single texts; its task is {model.SPEC.name}.")
    for name in named_files(flags):
        if name not in files:
            reads = ", ".join(model.TEXTS)
            raise ConfigError(f"Received: --{name}. The model reads {reads}; its task is {model.SPEC.name}.")
    if not flags.input:
        texts: tuple[str, ...] = (flags.text or "",)
        if flags.text_pair:
            texts += (flags.text_pair,)
        texts += tuple(getattr(flags, name) or "" for name in files)
        yield Row("--text" if flags.text else f"--{named_files(flags)[0]}", texts, None, {})
        return
    for path in [STDIN] if flags.input == "-" else find_files(flags.input):
        bad = BadRows(path, config.skip_bad_rows)
        for row in _of_file(path, flags.field, config, model, bad):
            yield row._replace(place=f"{path}, {row.place}")
        bad.tell()


def _of_file(path: Any, field: str | None, config: FileConfig, model: Any, bad: BadRows) -> Iterator[Row]:
    """Streams the rows of a table, or the lines of a text; with `field`, the rows of JSON lines that have it."""
    if field is not None:
        config = dataclasses.replace(config, format="jsonl", columns=(field,))
    elif str(path) == STDIN and config.format == "auto":
        return _of_lines(path, config, model, bad, objects=True)
    elif not str(path).removesuffix(".gz").endswith(_TABLES):
        return _of_lines(path, config, model, bad, objects=False)
    return stream_rows(path, config, model.SPEC, bad, with_target=False)


def _of_lines(path: Any, config: FileConfig, model: Any, bad: BadRows, objects: bool) -> Iterator[Row]:
    """Streams the lines that are not blank: texts or, with `objects`, JSON objects with the task's texts by name."""
    needed = [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]
    replaced = 0
    for line in read_lines(path, config.encoding):
        text = line.text.rstrip("\r\n")
        replaced += bool(line.problem and text)  # with the replacement character for what is not UTF-8
        if objects and (len(needed) > 1 or _OBJECT.match(text)):
            row, problem = parse_row(text)
            if not problem and not row.keys() >= set(needed):
                problem = f"it has no {' and no '.join(map(repr, needed))}; it has: {', '.join(row)}"
            if problem:
                bad(line.place, f"{problem}. Give a JSON object with {' and '.join(map(repr, needed))}")
            else:
                texts = tuple(row.pop(name) for name in model.TEXTS if name in row)
                yield Row(line.place, texts, None, row)
        elif line.problem and not text:
            bad(line.place, line.problem)
        elif text.strip():
            yield Row(line.place, (text,), None, {})
    if replaced:
        logging.warning("%s: %d lines are not UTF-8; replacement characters are in their texts.", path, replaced)
