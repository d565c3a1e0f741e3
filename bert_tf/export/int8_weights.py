"""Int8 weights inside an exported graph: kernels and token tables as integers, a scale for each column or row."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.modeling.layers.embeddings import SegmentEmbedding
from bert_tf.modeling.layers.heads import MaskedLMHead
from bert_tf.tasks.base.task import Task

# ... any leading axes, I inputs, O outputs, V rows of a table, D features

_LARGEST = 127  # symmetric: -128 is not used


@contextlib.contextmanager
def int8_weights(model: Task) -> Iterator[list[tf.Variable]]:
    """Inside, dense layers and lookups compute with int8 copies of their weights; for inference.

    A kernel has a scale for each output, a table one for each row: the largest absolute value / 127. Activations stay
    float32. Layers that are quantized already stay as they are, and so does a token table that a head multiplies with.

    Yields:
        The copies and scales. A graph that is traced inside reads them in place of the weights, and does not keep them.
    """
    forms: list[tuple[Any, Callable[..., tuple[Callable, list[tf.Variable]]]]] = [(keras.layers.Dense, _dense)]
    if not multiplies_with_table(model):
        forms.append((keras.layers.Embedding, _lookup))
    calls: dict[Any, Callable] = {}
    copies: list[tf.Variable] = []
    for layer in model._flatten_layers():
        form = next((form for kind, form in forms if isinstance(layer, kind)), None)
        if form and not layer.quantization_mode and not isinstance(layer, SegmentEmbedding):  # of two rows
            calls[layer], of_layer = form(layer)
            copies += of_layer
    model.reset_predict_graph()  # those from before read the float weights
    with calls_replaced(calls):
        yield copies
    model.reset_predict_graph()


def multiplies_with_table(model: Task) -> bool:
    """Whether a head multiplies with the token table, which otherwise is only looked up."""
    return model.WRITES_TEXT or any(isinstance(layer, MaskedLMHead) for layer in model._flatten_layers())


def quantize(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """(int8 values, float32 scales) of a matrix, which is about their product; a scale for each slice along `axis`."""
    largest = np.abs(values).max(axis, keepdims=True)
    scales = np.where(largest > 0, largest, 1.0).astype("float32") / _LARGEST
    return np.round(values / scales).astype("int8"), scales


def _dense(layer: keras.layers.Dense) -> tuple[Callable, list[tf.Variable]]:
    kernel, scales = map(tf.Variable, quantize(keras.ops.convert_to_numpy(layer.kernel), 0))  # [I, O], [1, O]

    def call(x: Any, training: bool | None = None) -> Any:
        del training
        x = keras.ops.matmul(x, tf.cast(kernel, x.dtype)) * tf.cast(scales[0], x.dtype)  # [..., O]
        if layer.bias is not None:
            x = x + keras.ops.cast(layer.bias, x.dtype)
        return x if layer.activation is None else layer.activation(x)

    return call, [kernel, scales]


def _lookup(layer: keras.layers.Embedding) -> tuple[Callable, list[tf.Variable]]:
    table, scales = map(tf.Variable, quantize(keras.ops.convert_to_numpy(layer.embeddings), 1))  # [V, D], [V, 1]

    def call(ids: Any) -> Any:
        rows = tf.cast(tf.gather(table, ids), layer.compute_dtype)  # [..., D]
        return rows * tf.cast(tf.gather(scales, ids), rows.dtype)

    return call, [table, scales]
