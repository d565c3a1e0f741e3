"""Weights of bert_tf and of other projects, read and written as numpy arrays under one set of names."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from bert_tf.core import files
from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.hub import is_name, resolve_folder
from bert_tf.core.known_models import suggestion
from bert_tf.weights import task_settings
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.formats import (
    encoder_decoder,
    google,
    huggingface_tokenizer,
    keras_hub,
    model_folder,
    model_garden,
)
from bert_tf.weights.formats.base import family_format
from bert_tf.weights.io import safetensors
from bert_tf.weights.schema import check, schema

__all__ = ["FORMATS", "Checkpoint", "find_format", "read_model", "read_task", "schema", "write_model"]

# Modules with `holds`, `read`, `read_task` and `write`; a folder is read by the first that it holds for.
FORMATS = {
    "bert_tf": model_folder,
    "keras_hub": keras_hub,
    "huggingface": encoder_decoder,
    "google": google,
    "model_garden": model_garden,
}


def read_model(folder: str | pathlib.Path) -> Checkpoint:
    """The `Checkpoint` in `folder`, a path or a name on a hub (`resolve_folder`); its files tell the format.

    `InputError` says what is wrong: an unknown format, a missing or broken file, names or shapes that do not fit.
    """
    with _naming(folder):
        folder = resolve_folder(folder)
        format = FORMATS[find_format(folder)]
        checkpoint = format.read(folder)
        check(checkpoint)
        return dataclasses.replace(checkpoint, task=task_settings.checked(checkpoint.task, checkpoint.weights))


def read_task(folder: str | pathlib.Path) -> dict[str, Any]:
    """The settings of the head in `folder` without reading weights: {"name": ..., "labels": ...}, {} for none."""
    with _naming(folder):
        folder = resolve_folder(folder, weights=False)
        format = FORMATS[find_format(folder)]
        return task_settings.checked(format.read_task(folder), {})


def read_tokenizer(folder: pathlib.Path) -> tuple[TextConfig, list[str] | None]:
    """The `TextConfig` and the vocabulary in a folder of keras-hub or Hugging Face; None where it has no tokenizer."""
    return keras_hub.read_tokenizer(folder) if keras_hub.holds(folder) else huggingface_tokenizer.read(folder)


def write_model(
    checkpoint: Checkpoint, folder: str | pathlib.Path, format: str = "bert_tf", overwrite: bool = False
) -> list[str]:
    """Writes `checkpoint` to `folder` in one of `FORMATS`, whole or not at all.

    Returns:
        A line for each thing that the format does not carry.

    An unknown format raises `ConfigError`; a family that the format cannot hold, or a folder that exists, raises
    `InputError`. `overwrite` replaces a folder, but only one that holds a model.
    """
    if format not in FORMATS:
        raise ConfigError(f"Unknown format {format!r}. Formats: {', '.join(FORMATS)}.")
    if is_name(folder):
        raise ConfigError(f"Received: {folder} as output. Models are not uploaded: give a folder on this machine.")
    folder = pathlib.Path(folder)
    if folder.exists():
        if not overwrite:
            raise _exists(folder)
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder, and is not replaced. Choose another output.")
        find_format(folder)  # refuses to replace anything but a model
    with _naming(folder):
        check(checkpoint)
    poolings = family_format(checkpoint.family, format).poolings  # refuses a family that the format cannot hold
    if format != "bert_tf":
        _check_uniform(checkpoint, format)
    target = folder.resolve()  # of a link, and of "."
    with files.temporary_folder(target) as parent:
        temporary = parent / target.name
        temporary.mkdir()
        notes = FORMATS[format].write(checkpoint, temporary)
        if not files.publish(temporary, target, replace=overwrite):
            raise _exists(folder)  # another process was faster
    pooling = checkpoint.task.get("pooling", "cls")
    has_head = any(not name.startswith("encoder/") for name in checkpoint.weights)
    if format != "bert_tf" and has_head and pooling not in poolings:
        notes.append(f"Their code classifies by the pooler's vector, this model by the {pooling} of all tokens.")
    return notes + task_settings.unnamed_heads(checkpoint)


def _check_uniform(checkpoint: Checkpoint, format: str) -> None:
    """Raises `InputError` for a model whose layers differ in size, or with features: only bert_tf's own format is."""
    for config in (checkpoint.encoder, checkpoint.decoder):
        if config and config != config.uniform():
            raise InputError(
                f"The format {format} cannot hold layers of different sizes, as this pruned model has. Choose bert_tf."
            )
        if getattr(config, "feature_size", None):
            raise InputError(f"The format {format} cannot hold a model of words and features. Choose bert_tf.")


def _exists(folder: pathlib.Path) -> InputError:
    return InputError(
        f"{folder} exists. Choose another folder, or overwrite it (--overwrite; in Python overwrite=True)."
    )


@contextlib.contextmanager
def _naming(folder: str | pathlib.Path) -> Iterator[None]:
    """Puts the path of the folder, or its name on a hub, before messages that do not have it."""
    try:
        yield
    except InputError as error:
        message = str(error)
        raise InputError(message if str(folder) in message else f"{folder}: {message}") from None


def find_format(folder: str | pathlib.Path) -> str:
    """The name in `FORMATS` of the model in a folder, a path or a name on a hub; `InputError` for one without."""
    folder = resolve_folder(folder)
    if not folder.is_dir():
        raise InputError(
            f"No such model folder: {folder} (looked for from {pathlib.Path.cwd()}). Give a folder with config.json, "
            f"weights and vocabulary, or hf://OWNER/NAME to download one. {suggestion(str(folder))}"
        )
    for name, format in FORMATS.items():
        if format.holds(folder):
            return name
    if any(folder.glob("*.bin")):
        raise InputError(safetensors.no_weights(folder))
    found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"{folder} holds no model that bert_tf knows. Formats: {', '.join(FORMATS)}; found: {found}.")
