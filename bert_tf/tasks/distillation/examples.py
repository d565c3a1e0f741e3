"""Examples to distill on: labelled ones, texts without labels, and copies in which tokens are replaced."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.tasks.base.prepared import PreparedExamples

# N examples


def with_labels(examples: PreparedExamples, has_labels: bool) -> PreparedExamples:
    """Rows of (inputs, targets[, weights]) as (inputs, targets, weights, `has_labels` as float32 [N])."""
    count = len(examples)

    def change(inputs: Any, targets: Any, weights: Any = None) -> tuple:
        if weights is None:
            weights = tf.nest.map_structure(lambda _: tf.ones(count), targets)
        return inputs, targets, weights, tf.fill([count], float(has_labels))

    return examples.changed(change)


def with_replaced_tokens(
    examples: PreparedExamples, share: float, special: Sequence[int], rng: np.random.Generator
) -> PreparedExamples:
    """Copies, without labels, of examples in which about `share` of the tokens are replaced by tokens of all examples.

    A token is drawn as often as it occurs. The ids `special` stay, and are not drawn.

    Args:
        examples: rows as `with_labels` returns them.
        share: in (0, 1).
        special: ids.
        rng: chooses the places and the tokens.
    """

    def replace(ids: tf.RaggedTensor) -> tf.RaggedTensor:
        values = ids.flat_values.numpy().copy()  # [tokens of all rows]
        ordinary = ~np.isin(values, special)
        chosen = ordinary & (rng.random(len(values)) < share)
        values[chosen] = rng.choice(values[ordinary], chosen.sum())
        return ids.with_flat_values(tf.constant(values))

    def change(inputs: dict, targets: Any, weights: Any, has_labels: tf.Tensor) -> tuple:
        replaced = {features.INPUT_IDS: replace(inputs[features.INPUT_IDS])}
        return inputs | replaced, targets, weights, tf.zeros_like(has_labels)

    return examples.changed(change)


def join_columns(texts: tuple, more: tuple) -> tuple:
    """Columns of encoded texts, one after the other; a different number of columns raises `ConfigError`."""
    if len(texts) != len(more):
        raise ConfigError(f"Received: examples of {len(texts)} texts, unlabelled ones of {len(more)}. Give as many.")
    return tuple(tf.concat(pair, 0) for pair in zip(texts, more, strict=True))


def weigh_rows(weights: Any, rows: tf.Tensor) -> Any:
    """Weights [N] or ragged [N, (S)] times those of their rows, float32 [N]."""
    if isinstance(weights, tf.RaggedTensor):
        return weights.with_values(weights.values * tf.gather(rows, weights.value_rowids()))
    return weights * rows
