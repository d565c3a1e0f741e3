"""The verb `convert`: a model folder of one project to that of another."""

from collections.abc import Sequence
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.weights import read_model, write_model


def convert(flags: Any, overrides: Sequence[str]) -> None:
    """Reads a folder of any known format, writes it in another, and prints a line for each thing that is lost."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. convert takes flags only.")
    checkpoint = read_model(flags.input)
    notes = write_model(checkpoint, flags.output, flags.format, flags.overwrite)
    parts = ", ".join(dict.fromkeys(name.split("/")[0] for name in checkpoint.weights))  # each once: encoder, heads
    print(f"{flags.output}: {flags.format}, {len(checkpoint.weights)} weights ({parts}).")
    for note in notes:
        print(note)
