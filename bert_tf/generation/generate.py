"""The loop of a search: one step of the decoder, one choice of tokens, until all targets are finished."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.generation.beam import BeamSearch
from bert_tf.generation.config import GenerationConfig
from bert_tf.generation.greedy import GreedySearch
from bert_tf.modeling.decoders.base import Cache
from bert_tf.modeling.layers.encoder_inputs import complete_inputs

# B batch, S source, T target, K beams, N heads, H head size, V vocabulary

CHUNK = 32  # steps, after which the cache of the latest tokens is joined to that of the earlier ones


def generate_tokens(model: Any, input_ids: Any, input_mask: Any = None, **settings: Any) -> tf.Tensor:
    """Targets for a batch of sources, as transformers' `generate`.

    Args:
        model: a `SequenceToSequence` with `start_id` and `end_id`. Its graph is traced once for all seeds, and for each
            choice of the other settings.
        input_ids, input_mask: int [B, S]; the mask may be left out.
        settings: fields of `GenerationConfig`.

    Returns:
        int32 [B, T], the start token first, padded after the end token.

    Raises:
        ConfigError: a setting cannot be, or `max_length` is more than the decoder has positions for.
        InputError: the model has no start or end token, or a source is longer than the encoder's positions.
    """
    config = GenerationConfig(**settings)
    inputs = token_inputs(input_ids, input_mask, model.pad_id)
    check(model, config, inputs[features.INPUT_IDS].shape[1])
    if "search_graph" not in vars(model):  # no attribute that Keras would track
        vars(model)["search_graph"] = tf.function(
            lambda inputs, **settings: search(model, inputs, GenerationConfig(**settings))[0], autograph=False
        )
    return run_graph(vars(model)["search_graph"], inputs, graph_arguments(config))


def token_inputs(input_ids: Any, input_mask: Any, pad_id: int) -> dict[str, Any]:
    """The encoder's inputs, [B, S] each, of token ids and their mask; None: `pad_id` is padding."""
    inputs = {features.INPUT_IDS: np.asarray(input_ids)}
    if input_mask is not None:
        inputs[features.INPUT_MASK] = np.asarray(input_mask)
    return complete_inputs(inputs, pad_id)


def graph_arguments(config: GenerationConfig) -> dict[str, Any]:
    """The fields of a config as arguments of a graph: a seed is a tensor, int32 [], so that the graph takes any.

    Raises:
        ConfigError: the seed is no whole number from 0 to 2^31 - 1.
    """
    arguments = dataclasses.asdict(config)
    if config.seed is not None:
        if not isinstance(config.seed, int) or not 0 <= config.seed < 2**31:
            raise ConfigError(f"Received: seed={config.seed!r}. It must be a whole number from 0 to 2147483647.")
        arguments["seed"] = tf.constant(config.seed, tf.int32)
    return arguments


def run_graph(graph: Any, inputs: Mapping[str, Any], arguments: Mapping[str, Any]) -> tf.Tensor:
    """Calls a `tf.function` of the inputs [B, S], as int32, and of `graph_arguments`.

    It is traced once for all sizes of the inputs and all seeds; each choice of the other settings has its own trace.
    """
    any_size = {name: tf.TensorSpec([None, None], tf.int32, name) for name in inputs}
    inputs = {name: tf.cast(value, tf.int32) for name, value in inputs.items()}
    return graph.get_concrete_function(any_size, **arguments)(inputs, **arguments)


def check(model: Any, config: GenerationConfig, source_length: int) -> None:
    """Raises the errors of `generate_tokens` for sources of `source_length` tokens."""
    for name in ("start_id", "end_id"):
        if getattr(model, name) is None:
            raise InputError(
                f"The model has no {name}, the id of the token at that side of a target. Set model.{name}."
            )
    if source_length > model.config.max_positions:
        raise InputError(
            f"Received: {source_length} tokens per source. The encoder has {model.config.max_positions} positions."
        )
    most = model.decoder.max_target_length(model.encoder, source_length)
    if config.max_length > most:
        raise ConfigError(
            f"Received: max_length={config.max_length}, for sources of {source_length} tokens. "
            f"The decoder has positions for {most} tokens of a target."
        )


def search(model: Any, inputs: Mapping[str, tf.Tensor], config: GenerationConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """The search as graph operations: the encoder's inputs, int32 [B, S], to targets and their scores.

    Returns:
        int32 [B, T], as `generate_tokens`; float32 [B], of beam search the log probability of each target with its
        length penalty, else 0.
    """
    source, empty = model.start(inputs)
    strategy = make_strategy(config, model.start_id, model.end_id, model.pad_id)
    state = strategy.start(tf.shape(inputs[features.INPUT_IDS])[0])
    last = config.max_length - 1

    def goes_on(state):
        return (state["index"] < last) & ~state["done"]

    def run_chunk(state, past):
        limit = state["index"] + CHUNK

        def run_step(state, recent):
            index = state["index"]
            owners = with_own(state["owners"], index)
            tokens = tf.gather(state["sequences"], index, axis=2)  # [B, K]
            logits, recent = model.step(tokens, index, _visible(owners, index), source, [past, recent])
            state = strategy.choose(state | {"owners": owners}, logits)
            return state | {"index": index + 1}, recent

        state, recent = _loop(lambda state: goes_on(state) & (state["index"] < limit), run_step, state, empty)
        return state, [_joined(*pairs) for pairs in zip(past, recent, strict=True)]

    state, _ = _loop(goes_on, run_chunk, state, empty)
    return strategy.result(state)


def make_strategy(config: GenerationConfig, start_id: int, end_id: int, pad_id: int) -> BeamSearch | GreedySearch:
    """The state and the choice of tokens of a search."""
    kind = BeamSearch if config.num_beams > 1 else GreedySearch
    return kind(config, start_id, end_id, pad_id)


def _loop(condition: Callable, body: Callable, state: dict[str, tf.Tensor], cache: Cache) -> tuple[dict, Cache]:
    """While loop over a state of fixed shapes and a cache that grows along its rows."""
    grows = tf.nest.map_structure(lambda x: tf.TensorShape([None, x.shape[1], None, x.shape[3]]), cache)
    fixed = {name: value.shape for name, value in state.items()}
    return tf.while_loop(
        lambda state, cache: condition(state),
        body,
        (state, cache),
        shape_invariants=(fixed, grows),
        parallel_iterations=1,
    )


def _joined(first: tuple, second: tuple) -> tuple:
    """Keys and values of two caches of one block, one after the other."""
    return tuple(tf.concat(pair, 2) for pair in zip(first, second, strict=True))


def with_own(owners: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """`owners` [B, K, T], which beam wrote the cached token at each place of a beam's past, with the new tokens."""
    _, beams, length = owners.shape
    return tf.where(tf.range(length) == index, tf.range(beams)[:, None], owners)


def _visible(owners: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Which rows of the caches each beam sees, bool [B, K, (index + 1) * K]: row t * K + k has token t of beam k."""
    beams = owners.shape[1]
    past = owners[:, :, : index + 1, None]  # [B, K, index + 1, 1]
    return tf.reshape(past == tf.range(beams), [tf.shape(owners)[0], beams, -1])
