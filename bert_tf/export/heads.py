"""What a .tflite gives for each task, and the way back to what the task decodes answers from."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from bert_tf.errors import ConfigError

# N rows, S pieces, C classes, D hidden


@dataclasses.dataclass(frozen=True)
class Head:
    """`to_file` makes the outputs of a file, {name: float32 tensor}, of what the model's `call` gives; `from_file`
    makes of these again what `answer` decodes."""

    to_file: Callable
    from_file: Callable


# A phone shows a class's score as it comes: it has to be a probability. The way back gives logits that differ from the
# model's own by a number that is the same for all classes.
_CLASS = Head(
    lambda logits: {"probabilities": tf.nn.softmax(logits)},  # [N, C]
    lambda outputs: tf.math.log(tf.maximum(outputs["probabilities"], 1e-30)),
)

HEADS = {"classification": _CLASS}


def head_of(model):
    """The `Head` of a task model; a task that a file for phones cannot hold raises `ConfigError`."""
    if model.TASK not in HEADS:
        raise ConfigError(f"A .tflite file cannot hold the task {model.TASK}. It can hold: {', '.join(HEADS)}.")
    return HEADS[model.TASK]
