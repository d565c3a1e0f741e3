"""Weights files of Keras: HDF5 datasets by their path."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from bert_tf.core.errors import InputError


def read(path: Path) -> dict[str, np.ndarray]:
    """Every dataset in the file, {path: array}; a file that is missing, cut short or corrupt raises `InputError`."""
    tensors = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            tensors[name] = np.asarray(item)

    try:
        with h5py.File(path) as file:
            file.visititems(collect)
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # h5py raises each for a broken file
        raise InputError(f"{path} cannot be read: {error}") from None
    return tensors


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Writes `tensors`, {path in the file: array}."""
    with h5py.File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor
