"""Weights files of Keras: HDF5 datasets by their path."""

import contextlib
import functools
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import ml_dtypes
import numpy as np

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.weights.io.stored_array import StoredArray, written

# Compressed weights are about as large as others, but a few bytes can also declare gigabytes of zeros.
MAX_EXPANSION, ALWAYS_ALLOWED = 16, 2**26
HEADER = 2048  # bytes that the file has for a dataset beside its data, at most


def stored(path: Path) -> dict[str, StoredArray]:
    """Every dataset of the file, {path in the file: what it declares}; no data is read.

    Links to other files are not followed. A file that is missing or corrupt, a dataset whose data are in other files
    or were never written, and one much larger than the file raise `InputError`.
    """
    found: dict[str, StoredArray] = {}
    declared = 0

    def collect(name, item):  # called for datasets that the file itself holds, not for links to elsewhere
        nonlocal declared
        if isinstance(item, h5py.Dataset):
            _check_layout(item)
            declared += math.prod(item.shape or ()) * item.dtype.itemsize
            found[name] = StoredArray(item.shape or (), _type_of(item), functools.partial(_read, path, name))

    with _open(path) as file:
        file.visititems(collect)
        if declared > MAX_EXPANSION * path.stat().st_size + ALWAYS_ALLOWED:
            raise ValueError(f"its datasets declare {declared} bytes, many times those of the file")
    return found


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes `tensors`, {path in the file: array}."""
    with written(path, OSError, RuntimeError, ValueError):
        # A full disk fails here; h5py would print a traceback for each open object. macOS has no such function.
        if hasattr(os, "posix_fallocate"):
            with path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, sum(tensor.nbytes + HEADER for tensor in tensors.values()))
        with h5py.File(path, "w") as file:
            for name, tensor in tensors.items():
                file[name] = tensor


@contextlib.contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    files.check_regular(path)
    try:
        with h5py.File(path) as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:  # h5py raises each for a broken file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read: {reason}") from None


def _check_layout(dataset: h5py.Dataset) -> None:
    """Raises `ValueError` for a dataset whose data are not in its file."""
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{dataset.name} keeps its data in other files")
    if dataset.chunks is None:
        whole = dataset.id.get_storage_size() >= math.prod(dataset.shape or (0,)) * dataset.dtype.itemsize
    else:
        counts = [-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)]
        whole = dataset.id.get_num_chunks() >= math.prod(counts)
    if not whole:
        raise ValueError(f"{dataset.name} declares shape {dataset.shape}, and its data were never written")


def _type_of(dataset: h5py.Dataset) -> str:
    # HDF5 knows no bfloat16: Keras names it in an attribute.
    if dataset.dtype == "V2" and dataset.attrs.get("dtype") == "bfloat16":
        return "bfloat16"
    return dataset.dtype.name


def _read(path: Path, name: str) -> np.ndarray:
    with _open(path) as file:
        array = file[name][()]
    return array.view(ml_dtypes.bfloat16) if array.dtype == "V2" else array
