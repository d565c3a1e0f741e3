"""Activation functions by the names that published BERT configs use."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.ops import fused_ops


def gelu(x: Any) -> Any:
    """The exact Gaussian error linear unit (Hendrycks and Gimpel 2016).

    Computed with erf in float32: TensorFlow's own uses erfc and takes twice as long, three times in bfloat16.
    """
    z = fused_ops.upcast(x)
    return ops.cast(0.5 * z * (1.0 + ops.erf(z * math.sqrt(0.5))), x.dtype)


def gelu_tanh(x: Any) -> Any:
    """The tanh approximation, which google-research/bert computes under the name gelu."""
    return ops.gelu(x, approximate=True)


def quick_gelu(x: Any) -> Any:
    """The sigmoid approximation of gelu."""
    return x * ops.sigmoid(1.702 * x)


ACTIVATIONS = {
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "sigmoid": ops.sigmoid,
    "silu": ops.silu,
    "tanh": ops.tanh,
    "mish": keras.activations.mish,
    "linear": keras.activations.linear,
}


def get_activation(name: str, training: bool = False) -> Callable:
    """The activation function called `name`; an unknown name raises `ConfigError`.

    `training` selects the same function with a faster gradient where there is one.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"Received: activation={name!r}. Known activations: {', '.join(ACTIVATIONS)}.")
    if training and name == "gelu":
        return fused_ops.gelu
    return ACTIVATIONS[name]
