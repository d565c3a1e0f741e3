"""The output of a task model that an explanation attributes to words."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.registry import tasks

# K rows, S tokens


@dataclasses.dataclass(frozen=True)
class Explained:
    """A number of a row, whose changes are explained by its words.

    Attributes:
        name: for people: a label, or the answer.
        score: from what the model's `call` returns for K rows to the number of each, float32 [K].
        positions: of the tokens whose vectors it is computed from.
    """

    name: str
    score: Callable[[Any], tf.Tensor]
    positions: Sequence[int] = (0,)


def explained_of(model: Any, inputs: dict[str, tf.Tensor], outputs: Any, label: str | None) -> Explained:
    """The `Explained` of the model's answer to one row; a task without explanations raises `ConfigError`.

    Args:
        inputs, outputs: of `call`, for the one row.
        label: the label to explain; None: what the model answers.

    Raises:
        InputError: the model has no such label.
    """
    known = tasks()
    if not known[model.TASK].explained:
        able = [name for name, spec in known.items() if spec.explained]
        raise ConfigError(f"Received: a model for {model.TASK}. Explained are {', '.join(able)}.")
    return known[model.TASK].load("explained")(model, inputs, outputs, label)


def check_label(label: str | None, labels: Sequence[str]) -> None:
    """Raises `InputError` for a label that is given and not among `labels`."""
    if label is not None and label not in labels:
        raise InputError(f"Received: the label {label!r}. The model has: {', '.join(labels) or 'none'}.")
