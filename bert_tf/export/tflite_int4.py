"""Quantizes the weights of a float .tflite to int4, or its token table alone; activations stay float32."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from bert_tf.export.tflite_quantizer import open_quantizer, quantized
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.tasks.base.task import Task

# V tokens, E embedding

_RUNTIME = "2.18.0"  # the first one that looks up int4 rows
_CLIPPED = "OCTAV"  # scales of the least squared error, which clip outliers (Sakr et al. 2022)
_LEAST = 2**14  # numbers of a kernel in int4: heads and tables of segments are small and matter for every answer


@contextlib.contextmanager
def looked_up(model: Task) -> Iterator[None]:
    """A context in which functions traced of a task model look tokens up by EMBEDDING_LOOKUP.

    The converter's own choice, GATHER, has one scale for a whole table. EMBEDDING_LOOKUP has one for each row.
    """
    tables = {}
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim == model.config.vocab_size:
            tables[layer] = _rows_of(layer)
    with calls_replaced(tables):
        yield


def _rows_of(layer: keras.layers.Embedding) -> Callable[[Any], tf.Tensor]:
    def call(ids: Any) -> tf.Tensor:
        rows = _lookup(tf.convert_to_tensor(layer.embeddings), tf.reshape(ids, [-1]))
        return tf.reshape(rows, [*ids.shape, rows.shape[-1]])

    return call


@tf.function(experimental_implements="embedding_matmul", autograph=False)
def _lookup(table: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Rows of a table [V, E]: a function that the converter turns into the operator by the name that it implements."""
    return tf.gather(table, ids)


def quantize_int4(content: bytes, table_alone: bool) -> bytes:
    """The flatbuffer with int4 weights, those of small operators int8, with a scale for each output or row.

    Args:
        content: of a float32 file, traced with `looked_up`.
        table_alone: whether dense layers are int8 all.

    Raises:
        ConfigError: the package ai_edge_quantizer is missing.
    """
    work = open_quantizer(content, "int4")
    work.add_dynamic_config(".*", "EMBEDDING_LOOKUP", num_bits=4, algorithm_key=_CLIPPED)
    if table_alone:
        work.add_dynamic_config(".*", "FULLY_CONNECTED", num_bits=8)
        return quantized(work, _RUNTIME)
    work.add_dynamic_config(".*", "FULLY_CONNECTED", num_bits=4, algorithm_key=_CLIPPED)
    for name in _small_layers(content):
        work.add_dynamic_config(f"^{re.escape(name)};?$", "FULLY_CONNECTED", num_bits=8)
    return quantized(work, _RUNTIME)


def _small_layers(content: bytes) -> Iterator[str]:
    """The names of the outputs of dense layers with few weights."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    for subgraph in graph.subgraphs:
        for operator in subgraph.operators:
            kind = graph.operatorCodes[operator.opcodeIndex].builtinCode
            if kind == schema.BuiltinOperator.FULLY_CONNECTED:
                rows, columns = subgraph.tensors[operator.inputs[1]].shape
                if rows * columns < _LEAST:
                    yield subgraph.tensors[operator.outputs[0]].name.decode()
