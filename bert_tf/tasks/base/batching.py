"""Examples in tensors: some of them by number, and in parts that fit in memory."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf


def take(values: Any, numbers: Any) -> Any:
    """The rows `numbers`, int [B], of every tensor, ragged or not, in the nest `values`."""
    return tf.nest.map_structure(lambda value: tf.gather(value, numbers), values)


def select(values: dict, names: Iterable[str]) -> dict:
    """Those of `names` that are in `values`, with their values."""
    return {name: values[name] for name in names if name in values}


def with_static_rows(data: tf.data.Dataset, rows: int) -> tf.data.Dataset:
    """The same batches with a static number of rows, which gradient accumulation needs to cut them into parts."""

    @tf.autograph.experimental.do_not_convert
    def set_rows(*batch: Any) -> Any:
        return tf.nest.map_structure(lambda x: tf.ensure_shape(x, [rows, *x.shape[1:]]), batch)

    return data.map(set_rows)


def part_numbers(texts: Sequence[Any], part_bytes: int) -> list[np.ndarray]:
    """Splits the numbers of N encoded texts into runs of about `part_bytes` bytes; one empty run for no texts."""
    sizes = sum(_num_bytes(text) for text in texts)
    part = np.cumsum(sizes) // part_bytes
    return np.split(np.arange(len(part)), np.flatnonzero(np.diff(part)) + 1)


def _num_bytes(texts: Any) -> np.ndarray:
    """Bytes of each text, or list of words, int64 [N]."""
    sizes = tf.strings.length(texts)
    if sizes.shape.rank == 2:
        sizes = tf.reduce_sum(sizes, 1)
    return sizes.numpy().astype(np.int64)
