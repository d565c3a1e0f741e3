"""Safetensors files, whole or in shards with an index, in any of the float types in which models are saved."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save_file

from bert_tf.core.errors import InputError
from bert_tf.weights.encoder_fields import load_json

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
# bfloat16 is a type that safetensors' own numpy reader does not know.
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16, "I64": "<i8", "I32": "<i4"}


def exists(folder: Path) -> bool:
    """Whether the folder has a safetensors file or the index of a sharded one."""
    return (folder / WHOLE).exists() or (folder / INDEX).exists()


def read(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor, {name: array in the file's type}; a missing shard or a broken file raises `InputError`."""
    if (folder / WHOLE).exists():
        return _read_file(folder / WHOLE)
    if not (folder / INDEX).exists():
        raise InputError(no_weights(folder))
    places = load_json(folder / INDEX).get("weight_map", {})
    tensors: dict[str, np.ndarray] = {}
    for name in sorted(set(places.values())):
        if not (folder / name).exists():
            raise InputError(f"{folder / name} is missing: {INDEX} names it as a shard of the weights.")
        tensors |= _read_file(folder / name)
    absent = [name for name in places if name not in tensors]
    if absent:
        raise InputError(f"{folder}: {', '.join(absent[:4])} not in the shard that {INDEX} names.")
    return tensors


def write(folder: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes one float32 file; PyTorch's loaders ask for the "format" in its metadata."""
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


def _read_file(path: Path) -> dict[str, np.ndarray]:
    try:
        parts = deserialize(path.read_bytes())
    except SafetensorError as error:
        raise InputError(f"{path} cannot be read, is it whole? {error}") from None
    return {name: _array(path, name, part) for name, part in parts}


def _array(path: Path, name: str, part: dict[str, Any]) -> np.ndarray:
    if part["dtype"] not in TYPES:
        raise InputError(f"{path}: {name} is of type {part['dtype']}. Known types: {', '.join(TYPES)}.")
    return np.frombuffer(part["data"], TYPES[part["dtype"]]).reshape(part["shape"])
