"""The verb `predict`."""

import itertools
import json
import sys

from bert_tf.errors import ConfigError
from bert_tf.tasks import load
from bert_tf.text.corpus import find_files, read_lines

_BATCH = 256  # texts answered at once


def predict(flags, overrides):
    """Prints a JSON object a text, in the order of the texts, as they are answered."""
    del overrides
    if bool(flags.text) == bool(flags.input):
        raise ConfigError("Give either --text or --input.")
    model = load(flags.model)
    texts = _texts(flags)
    while batch := list(itertools.islice(texts, _BATCH)):
        for text, answer in zip(batch, model.predict_text(batch), strict=True):
            print(json.dumps({"text": text, **answer}, ensure_ascii=False))
        sys.stdout.flush()


def _texts(flags):
    if flags.text:
        return iter([flags.text])
    if flags.input == "-":
        return (line.rstrip("\n") for line in sys.stdin)
    lines = (line for path in find_files(flags.input) for line in read_lines(path, flags.field))
    return (line for line in lines if line.strip())
