"""Weights as constants of an exported graph, which TensorFlow brings into the layout of its kernels once."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.export.int8_weights import multiplies_with_table
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.tasks.base.task import Task

_MOST_BYTES = 2**30  # a graph's file holds 2 GiB, and its texts and tables need some


@contextlib.contextmanager
def constant_weights(model: Task) -> Iterator[list[tf.Variable]]:
    """Inside, graphs of the model's `call` hold its weights as constants, but for tables of lookups; for inference.

    All graphs traced inside call one function, so that a SavedModel has the constants once.

    Yields:
        No variables: of `int8_weights` there are some.

    Raises:
        InputError: the model writes text, whose graphs read weights outside of `call`, or has more than 1 GiB of them.
    """
    if model.WRITES_TEXT:
        raise InputError(f"Received: constant weights for the task {model.TASK}. Its graphs hold variables only.")
    compute = model.call
    values = [(weight, keras.ops.convert_to_numpy(weight)) for weight in _weights(model)]
    if (size := sum(value.nbytes for _, value in values)) > _MOST_BYTES:
        raise InputError(f"Received: constant weights of {size / 2**30:.1f} GiB. A graph holds 1 GiB: leave them out.")

    @tf.function(autograph=False, experimental_attributes={"_noinline": True})
    def network(inputs: Mapping[str, tf.Tensor]) -> Any:
        with keras.StatelessScope([(weight, tf.constant(value)) for weight, value in values]):
            return compute(inputs, training=False)

    def call(inputs: Mapping[str, tf.Tensor], training: bool | None = None) -> Any:
        del training
        return network(inputs)  # traced once: `call_in_graph` calls it with inputs of any size

    model.reset_predict_graph()  # that from before reads the variables
    with calls_replaced({model: call}):
        yield []
    model.reset_predict_graph()


def _weights(model: Task) -> list[keras.Variable]:
    """All but tables that are only looked up; a masked LM head multiplies with the one of the tokens."""
    if multiplies_with_table(model):
        return model.variables
    layers = model._flatten_layers()
    tables = {id(layer.embeddings) for layer in layers if isinstance(layer, keras.layers.Embedding)}
    return [weight for weight in model.variables if id(weight) not in tables]
