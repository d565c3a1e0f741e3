"""Changes to the layers of a finished model: frozen layers, low-rank adapters, quantized kernels."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from bert_tf.core.errors import InputError

_OWN = ("kernel", "embeddings", "bias")  # variables of a layer that were there before any change


def changes_of(model: keras.Model) -> dict[str, dict[str, Any]]:
    """{number of a layer: its changes} for a model's config; layers are numbered as `_descendants` yields them."""
    changes = {}
    for number, (layer, parent) in enumerate(_descendants(model)):
        change: dict[str, Any] = {}
        if layer.quantization_mode:
            change["quantization"] = keras.saving.serialize_keras_object(layer.quantization_config)
        if _has_adapter(layer):
            change["lora"] = {"rank": layer.lora_rank, "lora_alpha": layer.lora_alpha}
        if layer.trainable != parent.trainable:
            change["trainable"] = layer.trainable
        if change:
            changes[str(number)] = change
    return changes


def apply_changes(model: keras.Model, changes: dict[str, dict[str, Any]]) -> None:
    """Changes the layers of a new model as `changes_of` found them in another; does nothing to layers changed so."""
    for number, (layer, parent) in enumerate(_descendants(model)):
        change = changes.get(str(number), {})
        if "quantization" in change and not layer.quantization_mode:
            layer.quantize(config=keras.saving.deserialize_keras_object(change["quantization"]))
        if "lora" in change and not _has_adapter(layer):
            layer.enable_lora(**change["lora"])
        trainable = change.get("trainable", parent.trainable)
        if layer.trainable != trainable:
            layer.trainable = trainable


def _descendants(layer: keras.layers.Layer) -> Iterator[tuple[keras.layers.Layer, keras.layers.Layer]]:
    """All layers below one, each with the layer that it is part of, which comes first."""
    for child in layer._flatten_layers(include_self=False, recursive=False):
        yield child, layer
        yield from _descendants(child)


@contextlib.contextmanager
def calls_replaced(calls: Mapping[keras.layers.Layer, Callable]) -> Iterator[None]:
    """A context in which layers compute by other functions, {layer: function}, than their `call`."""
    before = {layer: vars(layer).get("call") for layer in calls}  # of a context around this one
    try:
        for layer, call in calls.items():
            layer.call = call
        yield
    finally:
        for layer, call in before.items():
            if call is not None:
                layer.call = call
            elif "call" in vars(layer):
                del layer.call


def own_variables(layer: keras.layers.Layer) -> Iterator[tuple[keras.Variable, keras.layers.Layer]]:
    """The variables of a layer and of those below it, each with its own layer; without adapters and scales."""
    for owner in layer._flatten_layers():
        changed = owner.quantization_mode or _has_adapter(owner)
        for variable in owner._trainable_variables + owner._non_trainable_variables:
            if not changed or variable.name in _OWN:
                yield variable, owner


def effective_value(variable: keras.Variable, layer: keras.layers.Layer) -> np.ndarray:
    """A variable of `layer` as the layer computes with it, float32: adapters added, 8-bit numbers scaled.

    Raises:
        InputError: it is quantized in a way that has no float32 form here.
    """
    value = ops.convert_to_numpy(variable).astype("float32")
    if variable.name == "bias":
        return value
    if layer.quantization_mode == "int8":
        value = value / ops.convert_to_numpy(layer.kernel_scale)
    elif layer.quantization_mode not in (None, "float8"):
        raise InputError(
            f"{variable.path} is quantized to {layer.quantization_mode}. Only model.save('NAME.keras') keeps that; "
            "quantize to 'int8', or save the model before."
        )
    if _has_adapter(layer):
        first, second = (ops.convert_to_numpy(factor) for factor in _adapter(layer))
        value = value + layer.lora_alpha / layer.lora_rank * (first @ second)
    return value


def set_value(variable: keras.Variable, layer: keras.layers.Layer, value: np.ndarray) -> None:
    """Sets a variable of `layer` so that the layer computes with `value`: an adapter becomes zero.

    Raises:
        InputError: it is quantized.
    """
    if variable.dtype == "int8":
        raise InputError(f"{variable.path} is quantized. Set the weights of a model before `quantize`.")
    if _has_adapter(layer) and variable.name != "bias":
        _adapter(layer)[1].assign(np.zeros(_adapter(layer)[1].shape))
    variable.assign(value)


def _has_adapter(layer):
    return getattr(layer, "lora_enabled", False)


def _adapter(layer):
    """The two factors, [in, rank] and [rank, out], of the matrix that is added to a kernel or table."""
    if hasattr(layer, "lora_kernel_a"):
        return layer.lora_kernel_a, layer.lora_kernel_b
    return layer.lora_embeddings_a, layer.lora_embeddings_b
