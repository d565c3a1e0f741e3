"""The verb `predict`."""

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import FileConfig, files_of, stream_rows
from bert_tf.tasks import load
from bert_tf.text.corpus import find_files, read_lines

_BATCH = 256  # examples answered at once
_Row = tuple[str, tuple]  # (place, texts) of an example
_TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".conll", ".bio", ".iob", ".bioes")


def predict(flags: Any, overrides: Sequence[str]) -> None:
    """Prints one JSON object per example, with its texts and the answer, in the order of the input.

    Args:
        flags: parsed flags of the verb.
        overrides: "key=value" settings of the `FileConfig`.

    Raises:
        ConfigError: both or neither of --text and --input are given, or a setting is unknown.
        InputError: the model or a row cannot be used; names its place.
    """
    if bool(flags.text) == bool(flags.input):
        raise ConfigError("Give either --text or --input.")
    model = load(flags.model)
    config = override(files_of(flags.model), overrides)
    rows = _rows(flags, config, model)
    while batch := list(itertools.islice(rows, _BATCH)):
        places, texts = zip(*batch, strict=True)
        for row, answer in zip(texts, _answers(model, texts, places), strict=True):
            named = dict(zip(model.TEXTS, row, strict=False))  # without optional texts that the row leaves out
            print(json.dumps(named | answer, ensure_ascii=False))
        sys.stdout.flush()


def _answers(model: Any, texts: Sequence[tuple], places: Sequence[str]) -> list[dict]:
    """The answers to the texts of examples; errors name the example's place."""
    columns = itertools.zip_longest(*texts, fillvalue="")  # "" for an optional text that is left out
    try:
        return model.predict_text(tuple(map(list, columns)))
    except InputError as error:
        raise InputError(re.sub(r"^Row (\d+)", lambda row: places[int(row[1])], str(error))) from None


def _rows(flags: Any, config: FileConfig, model: Any) -> Iterator[_Row]:
    """Streams the examples that the flags name."""
    if flags.text and flags.text_pair:
        yield "--text", (flags.text, flags.text_pair)
    elif flags.text:
        yield "--text", (flags.text,)
    elif flags.input == "-":
        yield from _of_lines(sys.stdin, model)
    else:
        for path in find_files(flags.input):
            yield from _of_file(path, flags.field, config, model)


def _of_file(path: Any, field: str | None, config: FileConfig, model: Any) -> Iterator[_Row]:
    """Streams the rows of a table, or the lines of a file of texts (with `field`, of JSON lines)."""
    if field is None and str(path).removesuffix(".gz").endswith(_TABLES):
        bad = BadRows(path, config.skip_bad_rows)
        for place, texts, *_ in stream_rows(path, config, model.SPEC, bad, with_target=False):
            yield f"{path}, {place}", texts
    else:
        for number, line in enumerate(read_lines(path, field), 1):
            if line.strip():
                yield f"{path}, line {number}", (line,)


def _of_lines(lines: Iterable[str], model: Any) -> Iterator[_Row]:
    """Streams the lines of standard input: one text per line, or a JSON object with the task's texts by name."""
    needed = [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]
    for number, line in enumerate(lines, 1):
        row = _parse(line)
        if row.keys() >= set(needed):
            yield f"line {number}", tuple(row[name] for name in model.TEXTS if name in row)
        elif len(needed) == 1:
            yield f"line {number}", (line.rstrip("\n"),)
        else:
            names = " and ".join(map(repr, needed))
            raise InputError(f"line {number} is not a JSON object with {names}: {line.strip()[:80]!r}")


def _parse(line: str) -> dict:
    """The JSON object in a line; {} where there is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
