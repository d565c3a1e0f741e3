"""Forms of layers that converters to other runtimes understand, and that those runtimes fuse."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.modeling.layers.activations import gelu
from bert_tf.modeling.layers.embeddings import SegmentEmbedding
from bert_tf.modeling.layers.residual_norm import ResidualNorm

# ... any leading axes, D features

_ACTIVATIONS = {keras.activations.gelu: gelu}  # ONNX has no erfc


@contextlib.contextmanager
def converter_forms(model: keras.Model) -> Iterator[None]:
    """Inside, a float32 model computes the same numbers with fewer and plainer operations; for inference only.

    - A dense layer is one product of [..., D] and a sum. Its usual form flattens to [N, D] and back; tf2onnx joins that
      with the reshape of attention heads to one reshape, which copies the wrong axes.
    - A layer norm is written out as onnxruntime and OpenVINO recognize it and compute it in one pass.
    - An embedding is a plain lookup: ids are not negative.
    """
    calls = {}
    for layer in model._flatten_layers():
        form = next((form for kind, form in _FORMS.items() if isinstance(layer, kind)), None)
        if form:
            calls[layer] = functools.partial(form, layer)
    with calls_replaced(calls):
        yield


def _dense(layer: keras.layers.Dense, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    del training
    # tf.matmul would reshape here too.
    x = tf.raw_ops.BatchMatMulV2(x=x, y=tf.convert_to_tensor(layer.kernel))  # [..., units]
    if layer.bias is not None:
        x = x + layer.bias
    if layer.activation is None:
        return x
    return _ACTIVATIONS.get(layer.activation, layer.activation)(x)


def _residual_norm(
    layer: ResidualNorm, x: tf.Tensor, residual: tf.Tensor, dropout: Any = None, training: bool | None = None
) -> tf.Tensor:
    del dropout, training
    return _norm(layer, residual + x)


def _norm(layer: keras.layers.LayerNormalization, x: tf.Tensor) -> tf.Tensor:
    # OpenVINO takes no scalar for the axis.
    centred = x - tf.reduce_mean(x, [-1], keepdims=True)
    variance = tf.reduce_mean(tf.pow(centred, 2.0), [-1], keepdims=True)
    x = centred / tf.sqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        x = x * layer.gamma
    return x if layer.beta is None else x + layer.beta


def _embedding(layer: keras.layers.Embedding, ids: tf.Tensor) -> tf.Tensor:
    return tf.gather(layer.embeddings, ids)


# The first class that a layer is an instance of holds; None: its own form is plain.
_FORMS: dict[Any, Callable[..., tf.Tensor] | None] = {
    SegmentEmbedding: None,
    ResidualNorm: _residual_norm,
    keras.layers.LayerNormalization: _norm,
    keras.layers.Dense: _dense,
    keras.layers.Embedding: _embedding,
}
