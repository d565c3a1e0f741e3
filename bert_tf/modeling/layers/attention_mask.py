"""Attention masks as a bias that is added to attention scores."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from bert_tf.core import features

# B batch, S sequence, Q queries


def attention_bias(inputs: Mapping[str, Any], select_queries: Callable = lambda ids: ids) -> Any:
    """The bias of attention scores, float32: 0 where a query may look, -30,000 elsewhere.

    Args:
        inputs: the encoder's inputs. With `example_ids` (packed rows) a token sees its own example only; with
            `order_ids` only tokens whose order is not above its own.
        select_queries: picks the queries' ids [B, Q, 1] from those of all tokens [B, S, 1].

    Returns:
        [B, 1, 1, S] from the input mask alone, else [B, 1, Q, S].
    """

    def compare(name, relation):
        ids = ops.cast(ops.expand_dims(inputs[name], -1), "float32")  # [B, S, 1]
        return relation(select_queries(ids), ops.transpose(ids, (0, 2, 1)))  # [B, Q, S]

    if features.EXAMPLE_IDS in inputs:
        visible = compare(features.EXAMPLE_IDS, ops.equal)
    else:
        visible = ops.cast(ops.expand_dims(inputs[features.INPUT_MASK], 1), "bool")  # [B, 1, S]
    if features.ORDER_IDS in inputs:
        visible = ops.logical_and(visible, compare(features.ORDER_IDS, ops.greater_equal))
    return score_bias(ops.expand_dims(visible, 1))


def score_bias(visible: Any) -> Any:
    """0 where `visible` (bool or 0 and 1) is true, -30,000 elsewhere, float32 of the same shape."""
    # Keras casts the arguments of a layer to its compute dtype, and the largest number of float16 is 65504.
    return (1.0 - ops.cast(visible, "float32")) * -3e4
