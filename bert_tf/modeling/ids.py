"""Ids outside their table: an error on every backend, where a lookup or a one-hot row would go on with NaN or zeros."""

import functools

import keras

from bert_tf.errors import InputError


def check_ids(name, ids, limit):
    """Raises `InputError` where `ids` are not all in [0, limit), if their values can be seen.

    In a compiled step they cannot. There TensorFlow's lookup raises by itself on CPUs; on JAX, whose lookup gives
    NaN, the check is called back from the device.
    """
    if keras.backend.backend() == "jax":
        import jax

        jax.debug.callback(functools.partial(_check, name, limit=limit), ids)
    elif hasattr(ids, "numpy"):
        _check(name, ids.numpy(), limit)


def _check(name, ids, limit):
    if ids.size and (ids.min() < 0 or ids.max() >= limit):
        worst = ids.min() if ids.min() < 0 else ids.max()
        raise InputError(f"Received: {name} with {worst}. They must be in 0 to {limit - 1}.")
