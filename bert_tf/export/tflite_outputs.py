"""What a .tflite gives for each task, and the way back to what the task decodes answers from."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from bert_tf.core.errors import ConfigError

# N rows, S pieces, C classes, D hidden


@dataclasses.dataclass(frozen=True)
class Head:
    """The outputs of a file, {name: float32 [N, ...]}.

    `to_file` makes them of what the model's `call` gives, `from_file` makes of them again what `postprocess` decodes.
    `per_piece` says whether they are [N, S, ...].
    """

    to_file: Callable
    from_file: Callable
    per_piece: bool = False


def _probabilities(logits):
    """A phone shows the score of a class as it comes: it has to be a probability."""
    return {"probabilities": tf.nn.softmax(logits)}  # [N, C] or [N, S, C]


def _log(outputs):
    """Logits that differ from the model's by one number for all classes of a row or piece."""
    return tf.math.log(tf.maximum(outputs["probabilities"], 1e-30))


def _logit(outputs):
    probabilities = tf.clip_by_value(outputs["probabilities"], 1e-7, 1 - 1e-7)
    return tf.math.log(probabilities) - tf.math.log1p(-probabilities)


def _named(name):
    return lambda output: {name: output}, lambda outputs: outputs[name]


HEADS = {
    "single_label_classification": Head(_probabilities, _log),
    "multi_label_classification": Head(lambda logits: {"probabilities": tf.sigmoid(logits)}, _logit),
    "regression": Head(*_named("score")),  # [N, 1]
    "embedding": Head(*_named("embedding")),  # [N, D]
    "tagging": Head(_probabilities, _log, per_piece=True),
    "question_answering": Head(dict, dict, per_piece=True),  # "start_logits" and "end_logits", [N, S] each
}


def head_of(model):
    """The `Head` of a task model; a task that a file for phones cannot hold raises `ConfigError`."""
    task = getattr(model, "problem_type", model.TASK)
    if task not in HEADS:
        raise ConfigError(f"A .tflite file cannot hold the task {task}. It can hold: {', '.join(HEADS)}.")
    return HEADS[task]
