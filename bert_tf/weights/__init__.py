"""Weights of bert_tf and of other projects, in and out, as numpy arrays under one set of names."""

import pathlib

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.weights import schema
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.formats import google, huggingface, keras_hub, model_folder, model_garden
from bert_tf.weights.io import safetensors

__all__ = ["FORMATS", "Checkpoint", "read_model", "read_task", "write_model"]

# Each has `holds`, `read`, `read_task` and `write`; a folder is read by the first that it holds for.
FORMATS = {
    "bert_tf": model_folder,
    "keras_hub": keras_hub,
    "huggingface": huggingface,
    "google": google,
    "model_garden": model_garden,
}


def read_model(folder):
    """The `Checkpoint` in `folder`, whose format is told by its files.

    `InputError` says what is wrong: an unknown format, a missing or broken file, names or shapes that do not fit.
    """
    folder = pathlib.Path(folder)
    checkpoint = FORMATS[_format_of(folder)].read(folder)
    schema.check(checkpoint, folder)
    return checkpoint


def read_task(folder):
    """The settings of the head in `folder` without reading weights: {"name": ..., "labels": ...}, {} for none."""
    folder = pathlib.Path(folder)
    return FORMATS[_format_of(folder)].read_task(folder)


def write_model(checkpoint, folder, format="bert_tf", overwrite=False):
    """Writes `checkpoint` to `folder` in one of `FORMATS`, whole or not at all.

    Returns a line for each thing that the format does not carry. A folder that exists raises `InputError` unless
    `overwrite`, and one that holds no model even then.
    """
    folder = pathlib.Path(folder)
    if format not in FORMATS:
        raise ConfigError(f"Unknown format {format!r}. Formats: {', '.join(FORMATS)}.")
    if folder.exists() and not overwrite:
        raise InputError(f"{folder} exists. Choose another folder, or overwrite it (--overwrite).")
    if folder.exists():
        _format_of(folder)  # nothing but a model is ever replaced
    schema.check(checkpoint, folder)
    if checkpoint.encoder.encoder != "bert" and format != "bert_tf":
        raise InputError(f"The format {format} is for BERT; the encoder here is {checkpoint.encoder.encoder}.")
    with files.atomic_folder(folder) as temporary:
        notes = FORMATS[format].write(checkpoint, temporary)
    pooling = checkpoint.task.get("pooling", "cls")
    if format != "bert_tf" and checkpoint.task.get("name") == "classification" and pooling != "cls":
        notes.append(f"Their code classifies by the pooler's vector, this model by the {pooling} of all pieces.")
    return notes


def _format_of(folder):
    if not folder.is_dir():
        raise InputError(f"No such model folder: {folder}")
    for name, format in FORMATS.items():
        if format.holds(folder):
            return name
    if any(folder.glob("*.bin")):
        raise InputError(safetensors.no_weights(folder))
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"{folder} holds no model that bert_tf knows. Formats: {', '.join(FORMATS)}; found: {found}.")
