"""The verb `predict`."""

import itertools
import json
import re
import sys

from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import files_of, stream_rows
from bert_tf.tasks import load
from bert_tf.text.corpus import find_files, read_lines

_BATCH = 256  # rows answered at once
_TABLES = (".tsv", ".csv", ".jsonl", ".ndjson", ".json", ".conll", ".bio", ".iob", ".bioes")


def predict(flags, overrides):
    """Prints a JSON object a row, its texts and their answers, in the order of the rows, as they are answered."""
    if bool(flags.text) == bool(flags.input):
        raise ConfigError("Give either --text or --input.")
    model = load(flags.model)
    config = override(files_of(flags.model), overrides)
    rows = _rows(flags, config, model)
    while batch := list(itertools.islice(rows, _BATCH)):
        places, texts = zip(*batch, strict=True)
        for row, answer in zip(texts, _answers(model, texts, places), strict=True):
            named = dict(zip(model.TEXTS, row, strict=False))
            print(json.dumps({**named, **answer}, ensure_ascii=False))
        sys.stdout.flush()


def _answers(model, texts, places):
    """The answers to rows of texts, "" for those that a row leaves out; errors of a row name its place."""
    try:
        return model.predict_text(tuple(map(list, itertools.zip_longest(*texts, fillvalue=""))))
    except InputError as error:
        raise InputError(re.sub(r"^Row (\d+)", lambda row: places[int(row[1])], str(error))) from None


def _rows(flags, config, model):
    """Streams (place, texts)."""
    if flags.text:
        yield "--text", (flags.text, flags.text_pair) if flags.text_pair else (flags.text,)
    elif flags.input == "-":
        yield from _of_lines(sys.stdin, model)
    else:
        for path in find_files(flags.input):
            yield from _of_file(path, flags.field, config, model)


def _of_file(path, field, config, model):
    if field is None and str(path).removesuffix(".gz").endswith(_TABLES):
        bad = BadRows(path, config.skip_bad_rows)
        for place, texts, _ in stream_rows(path, config, model.SPEC, bad, with_target=False):
            yield f"{path}, {place}", texts
    else:
        for number, line in enumerate(read_lines(path, field), 1):
            if line.strip():
                yield f"{path}, line {number}", (line,)


def _of_lines(lines, model):
    """Of standard input: a text a line, or a JSON object with the task's texts by their names."""
    needed = [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]
    for number, line in enumerate(lines, 1):
        row = _parse(line)
        if all(name in row for name in needed):
            yield f"line {number}", tuple(row[name] for name in model.TEXTS if name in row)
        elif len(needed) == 1:
            yield f"line {number}", (line.rstrip("\n"),)
        else:
            names = " and ".join(map(repr, needed))
            raise InputError(f"line {number} is no JSON object with {names}: {line.strip()[:80]!r}")


def _parse(line):
    """The JSON object of a line, {} where it is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) else {}
