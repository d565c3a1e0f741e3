"""Makes optimizers by name."""

from collections.abc import Sequence
from typing import Any

import keras

from bert_tf.core.errors import ConfigError
from bert_tf.training.config import OPTIMIZERS
from bert_tf.training.optimizers.adamw_lamb import AdamW, Lamb
from bert_tf.training.optimizers.layerwise import LayerwiseOptimizer


def make_optimizer(
    name: str,
    learning_rate: Any,
    *,
    weight_decay: float | None = 0.01,
    clip_norm: float | None = 1.0,
    layer_decay: float | None = None,
    stages: Sequence[str] = (),
    ema_momentum: float | None = None,
    **settings: Any,
) -> LayerwiseOptimizer:
    """Makes the optimizer called `name`, wrapped in a `LayerwiseOptimizer`.

    Args:
        name: one of `OPTIMIZERS`: "adamw" and "lamb" are this package's, the others Keras's.
        learning_rate: a number or a schedule.
        weight_decay, clip_norm, layer_decay, stages, ema_momentum: see `LayerwiseOptimizer`. LAMB applies the decay
            itself.
        settings: further arguments of the optimizer, such as `beta_2` or `momentum`.

    Raises:
        ConfigError: for an unknown name or an impossible setting.
    """
    if name not in OPTIMIZERS:
        raise ConfigError(f"Received: optimizer={name!r}. optimizer is one of {', '.join(OPTIMIZERS)}.")
    rate = learning_rate if callable(learning_rate) else float(learning_rate)
    if name == "lamb":
        inner = Lamb(rate, weight_decay=weight_decay, name=name, **settings)
        weight_decay = None  # or it would be applied twice
    elif name == "adamw":
        inner = AdamW(rate, name=name, **settings)
    else:
        classes = {known.lower(): known for known in dir(keras.optimizers)}  # {"sgd": "SGD"}
        inner = getattr(keras.optimizers, classes[name])(rate, weight_decay=None, name=name, **settings)
    return LayerwiseOptimizer(inner, weight_decay, clip_norm, layer_decay, stages, ema_momentum)
