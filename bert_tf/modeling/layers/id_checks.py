"""Ids and lengths outside of a table: an error on every backend, where a lookup would give NaN or zeros."""

import functools
from typing import Any

import keras

from bert_tf.core.errors import InputError


def check_ids(name: str, ids: Any, limit: int) -> None:
    """Raises `InputError` where `ids` are not all in [0, limit), if their values are known.

    In a compiled step they are not. On JAX, whose lookup gives NaN, the device then calls the check; TensorFlow's
    lookup raises by itself on CPUs, but under XLA and on GPUs it takes another row. Ids of a tokenizer are always in
    the table, because vocabulary and table are compared whenever a model is opened or saved.
    """
    if keras.backend.backend() == "jax":
        import jax

        jax.debug.callback(functools.partial(_check, name, limit=limit), ids)
    elif hasattr(ids, "numpy"):
        _check(name, ids.numpy(), limit)


def check_length(input_ids: Any, position_ids: Any, max_positions: int) -> None:
    """Raises `InputError` for rows [B, S] longer than `max_positions`, unless they have positions of their own."""
    length = input_ids.shape[1]
    # An unknown length is None, on JAX a symbol.
    if isinstance(length, int) and length > max_positions and position_ids is None:
        raise InputError(f"Received: {length} tokens per sequence. This encoder has {max_positions} positions.")


def _check(name, ids, limit):
    if ids.size and (ids.min() < 0 or ids.max() >= limit):
        worst = ids.min() if ids.min() < 0 else ids.max()
        raise InputError(f"Received: {name} with {worst}. They must be in 0 to {limit - 1}.")
