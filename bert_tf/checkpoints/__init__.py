"""Weights of bert_tf and of other projects, in and out, as numpy arrays under one set of names."""

import json
import pathlib

from bert_tf.checkpoints import huggingface, native
from bert_tf.checkpoints.checkpoint import Checkpoint
from bert_tf.errors import InputError

__all__ = ["Checkpoint", "read", "write"]


def read(folder):
    """The `Checkpoint` in `folder`, whose format is told by its files; an unknown one raises `InputError`."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"No such model folder: {folder}")
    if (folder / native.WEIGHTS).exists() and _config_has(folder, "encoder"):
        return native.read(folder)
    if (folder / huggingface.WEIGHTS).exists():
        return huggingface.read(folder)
    raise InputError(
        f"{folder} holds no model that bert_tf knows. Expected {native.CONFIG} with {native.WEIGHTS} or "
        f"{huggingface.WEIGHTS}; found: {', '.join(sorted(path.name for path in folder.iterdir())) or 'nothing'}."
    )


def write(checkpoint, folder, overwrite=False):
    """Writes `checkpoint` to `folder`, whole or not at all; one that exists raises `InputError` unless `overwrite`."""
    folder = pathlib.Path(folder)
    if folder.exists() and not overwrite:
        raise InputError(f"{folder} exists. Choose another folder or ask for it to be overwritten (--overwrite).")
    return native.write(checkpoint, folder)


def _config_has(folder, key):
    path = folder / native.CONFIG
    try:
        return key in json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return False
