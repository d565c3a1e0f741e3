"""The verb `models`: lists known models on hubs."""

import itertools
from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.core.known_models import KNOWN_MODELS

_END = """
Give a name wherever a model's folder is taken: --init, --model, --input,
bert_tf.load, from_pretrained. Sizes are in millions of parameters.
* had no other weights than pytorch_model.bin, which is not read, when this list
  was made. Convert it once: docs/WEIGHTS.md, "By name"."""


def models(flags: Any, overrides: Sequence[str]) -> None:
    """Prints the known models by language and size."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. models takes no settings.")
    for language, group in itertools.groupby(KNOWN_MODELS, lambda model: model.language):
        print(language)
        for model in group:
            print(f"  {model.name}{' *' if model.pickled else ''}")
            print(f"      {model.family}, {model.millions} M, {model.licence}: {model.purpose}")
    print(_END)
