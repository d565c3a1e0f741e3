"""Outputs of a .tflite, and the way back from them to the logits that a task decodes."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.registry import tasks

# N rows, S tokens, C classes

_LEAST = 1e-30  # probability whose logarithm is still finite in float32


@dataclasses.dataclass(frozen=True)
class TFLiteOutputs:
    """Outputs of a task's .tflite, {name: float32 [N, ...]}; each task defines its own in tasks/NAME/tflite.py.

    Attributes:
        to_file: from what the model's `call` returns to the outputs, TensorFlow ops only.
        from_file: from the outputs back to what the task's postprocessing takes.
        per_token: whether the outputs are [N, S, ...], of a model that writes text [N, T, ...].
    """

    to_file: Callable[[Any], dict[str, tf.Tensor]]
    from_file: Callable[[dict[str, tf.Tensor]], Any]
    per_token: bool = False


def outputs_of(model: Any) -> TFLiteOutputs:
    """The `TFLiteOutputs` of a task model; a task that has none raises `ConfigError`."""
    if not model.SPEC.tflite_outputs:
        able = [name for name, spec in tasks().items() if spec.tflite_outputs]
        raise ConfigError(f"A .tflite file cannot hold the task {model.TASK}. It can hold: {', '.join(able)}.")
    return model.SPEC.load("tflite_outputs")(model)


def named(name: str) -> TFLiteOutputs:
    """The model's one output under a name, as it is."""
    return TFLiteOutputs(lambda output: {name: output}, lambda outputs: outputs[name])


def softmax_probabilities(per_token: bool = False) -> TFLiteOutputs:
    """Output "probabilities" [N, C] or [N, S, C] of logits, because apps show the numbers of a file as they are.

    The way back gives logits that differ from the model's by a constant per row or token, which no softmax notices.
    """
    return TFLiteOutputs(
        lambda logits: {"probabilities": tf.nn.softmax(logits)},
        lambda outputs: tf.math.log(tf.maximum(outputs["probabilities"], _LEAST)),
        per_token,
    )
