"""Safetensors files, whole or in shards with an index, in any of the float types in which models are saved."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.weights.encoder_fields import load_json, member
from bert_tf.weights.io.stored_array import StoredArray, written

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


def exists(folder: Path) -> bool:
    """Whether the folder has a safetensors file or the index of a sharded one."""
    return (folder / WHOLE).exists() or (folder / INDEX).exists()


def stored(folder: Path) -> dict[str, StoredArray]:
    """Every tensor of the folder's files by name; a missing shard or a broken file raises `InputError`."""
    if (folder / WHOLE).exists():
        return _stored_in(folder / WHOLE)
    if not (folder / INDEX).exists():
        raise InputError(no_weights(folder))
    places = member(load_json(folder / INDEX), "weight_map", {}, folder / INDEX)
    tensors: dict[str, StoredArray] = {}
    for name in sorted(set(map(str, places.values()))):
        if Path(name).name != name:
            raise InputError(f"{folder / INDEX} names {name!r} as a shard. Shards are files of the same folder.")
        if not (folder / name).exists():
            raise InputError(f"{folder / name} is missing: {INDEX} names it as a shard of the weights.")
        tensors |= _stored_in(folder / name)
    absent = [name for name in places if name not in tensors]
    if absent:
        raise InputError(f"{folder}: {', '.join(absent[:4])} not in the shard that {INDEX} names.")
    return tensors


def write(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes one float32 file; PyTorch's loaders ask for the "format" in its metadata."""
    with written(folder / WHOLE, SafetensorError):
        save_file(dict(tensors), folder / WHOLE, metadata={"format": "pt"})


def no_weights(folder: Path) -> str:
    """Why the folder has no weights that can be read, in one line."""
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    if pickled:
        return (
            f"{folder} has its weights in {pickled[0]}, a pickled file that can run any code when it is opened; it is "
            "not read. Make model.safetensors where you trust it: transformers.AutoModel.from_pretrained(FOLDER)"
            ".save_pretrained(NEW_FOLDER)."
        )
    return f"{folder} has no weights: {WHOLE} is missing."


def _stored_in(path: Path) -> dict[str, StoredArray]:
    found = {}
    with _open(path) as file:
        # The library compares what the header declares with the size of the file.
        for name in file.keys():  # noqa: SIM118 (it is no mapping)
            described = file.get_slice(name)
            kind = described.get_dtype()
            read = functools.partial(_read, path, name)
            found[name] = StoredArray(tuple(described.get_shape()), TYPES.get(kind, kind), read)
    return found


def _read(path: Path, name: str) -> np.ndarray:
    with _open(path) as file:
        return file.get_tensor(name)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Any]:
    files.check_regular(path)
    try:
        with safe_open(path, "numpy") as file:
            yield file
    except (SafetensorError, OSError) as error:
        remedy = f" Delete {path.resolve()} to download it again." if path.is_symlink() else ""  # in a hub's cache
        raise InputError(f"{path} cannot be read, is it whole? {error}.{remedy}") from None
