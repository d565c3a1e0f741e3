"""The verb `convert`: one project's model folder to another's."""

from bert_tf.core.errors import ConfigError
from bert_tf.weights import read_model, write_model


def convert(flags, overrides):
    """Reads any known folder, writes it in the format asked for, and prints what the format does not carry."""
    if overrides:
        raise ConfigError(f"Received: {overrides[0]!r}. convert takes flags only.")
    checkpoint = read_model(flags.input)
    notes = write_model(checkpoint, flags.output, flags.format, flags.overwrite)
    parts = ", ".join(dict.fromkeys(name.split("/")[0] for name in checkpoint.weights))
    print(f"{flags.output}: {flags.format}, {len(checkpoint.weights)} weights ({parts}).")
    for note in notes:
        print(note)
