"""Smaller encoders: heads, feed-forward columns and layers removed, from one `Checkpoint` to another."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.weights.checkpoint import Checkpoint

# N heads, H head size, F columns

# {layer of a block: the axis of its kernel along which its heads, or its columns, lie}; biases lie along the last.
_HEADS = {"attention/query": -1, "attention/key": -1, "attention/value": -1, "attention/output": 0}
_COLUMNS = {"intermediate": -1, "gate": -1, "output": 0}
_OF_LAYER = re.compile(r"(encoder/block_|decoder/cross_)(\d+)/")


def keep_heads_and_columns(
    checkpoint: Checkpoint, heads: Sequence[Sequence[int]], columns: Sequence[Sequence[int]]
) -> Checkpoint:
    """The checkpoint with some of the heads and feed-forward columns of each block of its encoder.

    Args:
        checkpoint: of a transformer.
        heads: for each block the numbers of the heads that stay.
        columns: for each block the numbers of the columns that stay.

    Raises:
        ConfigError: a block would be left without heads or columns, or a number is unknown.
        InputError: the encoder has no blocks.
    """
    config = checked_blocks(checkpoint)
    weights = dict(checkpoint.weights)
    for i in range(config.num_blocks):
        sizes = config.block_sizes(i)
        _check("heads", i, heads[i], sizes["num_heads"])
        _check("columns", i, columns[i], sizes["intermediate_size"])
        units = np.reshape(heads[i], (-1, 1)) * config.head_size + np.arange(config.head_size)  # [kept N, H]
        block = f"encoder/block_{i}"
        _take(weights, block, _HEADS, units.reshape(-1))
        _take(weights, block, _COLUMNS, np.array(columns[i]))
    widths = [len(kept) for kept in columns]
    sizes = {"layer_heads": tuple(len(kept) for kept in heads)}
    if len(set(widths)) == 1:  # no longer sizes by layer, so that every format can hold them
        sizes |= {"intermediate_size": widths[0], "layer_intermediate_sizes": None}
    else:
        sizes["layer_intermediate_sizes"] = tuple(widths)
    return dataclasses.replace(checkpoint, weights=weights, encoder=dataclasses.replace(config, **sizes))


def keep_layers(checkpoint: Checkpoint, layers: Sequence[int]) -> Checkpoint:
    """The checkpoint with the layers of these numbers, in ascending order, of its encoder.

    Raises:
        ConfigError: no layer stays, a number is unknown, or a layer would take the place of one of another kind
            (ModernBERT has several).
        InputError: the encoder has no blocks, or its layers share them.
    """
    config, layers = checked_blocks(checkpoint), list(layers)
    if config.num_blocks < config.num_layers:
        raise InputError(f"The layers of this {checkpoint.family} encoder share weights: none can be left out.")
    known = range(config.num_layers)
    if not layers or layers != sorted(set(layers)) or not set(layers) <= set(known):
        raise ConfigError(
            f"Received: layers={layers}. Give the numbers of the layers that stay, at least one of 0 to {known[-1]}, "
            "in ascending order."
        )
    for place, layer in enumerate(layers):
        if config.layer_kind(place) != config.layer_kind(layer):
            raise ConfigError(
                f"Received: layers={layers}. Layer {layer} would become layer {place}, which computes something else "
                f"in a {checkpoint.family} encoder."
            )
    sizes: dict[str, Any] = {"num_layers": len(layers)}
    if config.num_groups:
        sizes["num_groups"] = len(layers)
    for name in ("layer_heads", "layer_intermediate_sizes"):
        if of_layers := getattr(config, name):
            sizes[name] = tuple(of_layers[layer] for layer in layers)
    weights = _renumbered(checkpoint, {layer: place for place, layer in enumerate(layers)})
    return dataclasses.replace(checkpoint, weights=weights, encoder=dataclasses.replace(config, **sizes))


def checked_blocks(checkpoint: Checkpoint) -> Any:
    """The config of the encoder; `InputError` for an encoder that is not made of transformer blocks."""
    if not hasattr(checkpoint.encoder, "num_blocks"):
        raise InputError(
            f"Received: an encoder of the family {checkpoint.family!r}, which has no transformer blocks to remove "
            "something from."
        )
    return checkpoint.encoder


def _check(what: str, i: int, kept: Sequence[int], count: int) -> None:
    if not len(kept) or len(set(kept)) < len(kept) or not set(kept) <= set(range(count)):
        raise ConfigError(
            f"Received: {list(kept)[:20]} as the {what} of block {i} that stay. Give at least one of 0 to {count - 1}, "
            "each once."
        )


def _take(weights: dict[str, np.ndarray], block: str, axes: Mapping[str, int], units: np.ndarray) -> None:
    """Keeps the `units` of the layers of a block, in place."""
    for layer, axis in axes.items():
        kernel, bias = f"{block}/{layer}/kernel", f"{block}/{layer}/bias"
        if kernel in weights:
            weights[kernel] = np.take(weights[kernel], units, axis)
        if axis == -1 and bias in weights:
            weights[bias] = weights[bias][units]


def _renumbered(checkpoint: Checkpoint, places: Mapping[int, int]) -> dict[str, np.ndarray]:
    """The weights without the layers that `places`, {old number: new number}, lacks.

    A decoder that reads by the encoder's blocks has a cross-attention for each, which stays or goes with its block.
    """
    weights = {}
    for name, array in checkpoint.weights.items():
        match = _OF_LAYER.match(name)
        if match is None or (checkpoint.decoder and match[1].startswith("decoder/")):
            weights[name] = array
        elif (old := int(match[2])) in places:
            weights[f"{match[1]}{places[old]}/{name[match.end() :]}"] = array
    return weights
