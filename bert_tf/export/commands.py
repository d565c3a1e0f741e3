"""The verb `export`."""

import pathlib

from bert_tf.errors import ConfigError, InputError
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.tasks import load

# Any text will do to see whether an artifact computes what Keras computes.
_TEXTS = [
    "",
    "The quick brown fox jumps over the lazy dog.",
    "It was the best of times, it was the worst of times.",
    "我",
]


def export(flags, overrides):
    """Writes the artifact and says how near it is to the Keras model."""
    del overrides
    model = load(flags.model)
    if flags.format == "saved_model":
        path, difference = export_saved_model(model, flags.output, _TEXTS)
        print(f"{path}: probabilities within {difference:.0e} of Keras's")
    elif flags.format == "tflite":
        path = pathlib.Path(flags.output)
        if path.exists():
            raise InputError(f"{path} exists. Choose another --output, or remove it.")
        agreement = export_tflite(model, path, flags.length or model.max_length, flags.quantize, _TEXTS)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, Keras's label on {agreement:.0%} of the check texts")
    else:
        raise ConfigError(f"Received: --format={flags.format}. Choose saved_model or tflite.")
