"""Arrays in files: described before they are read, because a few bytes can declare an array of any size."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

# Types of weights by numpy's name; all are read as float32.
FLOATS = ("float32", "float16", "bfloat16", "float64")


@dataclasses.dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Attributes:
        shape: as the file declares it; nothing of that size is allocated until `read`.
        dtype: numpy's name of the type, or the file's own for a type that is not in `FLOATS`.
        read: reads the array; a damaged file raises `InputError`.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[], np.ndarray]


@contextlib.contextmanager
def written(path: str | Path, *kinds: type[Exception]) -> Iterator[None]:
    """A block in which a library writes `path`; its errors of these kinds, of a full disk say, become `OSError`."""
    try:
        yield
    except kinds as error:
        raise OSError(f"{path} cannot be written: {str(error).partition(chr(10))[0]}") from None
