"""Weights files of Keras: HDF5 datasets by their path."""

import h5py
import numpy as np

from bert_tf.core.errors import InputError


def read(path):
    """Every dataset in the file, path to array; a file that is missing, cut short or corrupt raises `InputError`."""
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


def write(path, tensors):
    """Writes the arrays of `tensors`, each to the path that is its name."""
    with h5py.File(path, "w") as file:
        for name, tensor in tensors.items():
            file[name] = tensor
