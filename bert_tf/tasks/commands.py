"""The verb `predict`."""

import itertools
import json
import re
import sys

from bert_tf.config import override
from bert_tf.errors import ConfigError, InputError
from bert_tf.tasks import load
from bert_tf.tasks.files.examples import files_of, stream_rows
from bert_tf.tasks.files.rows import BadRows
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
    """The answers to rows of texts; what the model says of a row it says of its place."""
    try:
        return model.predict_text(tuple(list(column) for column in zip(*texts, strict=True)))
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
        for place, texts, _ in stream_rows(path, config, model, BadRows(path, config.skip_bad_rows), with_target=False):
            yield f"{path}, {place}", texts
    else:
        for number, line in enumerate(read_lines(path, field), 1):
            if line.strip():
                yield f"{path}, line {number}", (line,)


def _of_lines(lines, model):
    """Of standard input: a text a line, or where the task reads two of them, a JSON object with both."""
    needed = len(model.TEXTS) - len(model.OPTIONAL_TEXTS)
    for number, line in enumerate(lines, 1):
        place, line = f"line {number}", line.rstrip("\n")
        if needed == 1 and not (line.startswith("{") and len(model.TEXTS) > 1):
            yield place, (line,)
            continue
        try:
            row = json.loads(line)
            yield (
                place,
                tuple(row[name] for name in model.TEXTS[: max(needed, sum(name in row for name in model.TEXTS))]),
            )
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{place} is no JSON object with {' and '.join(map(repr, model.TEXTS[:needed]))}: {line[:80]!r}"
            ) from None
