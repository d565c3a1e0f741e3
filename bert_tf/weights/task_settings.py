"""Settings of the head as a folder gives them, checked by the task's own rules and against the head itself."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.registry import tasks
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import member, parse
from bert_tf.weights.schema import part_of

WHERE = "the task settings"


def checked(task: dict[str, Any], weights: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The settings of the head of a checkpoint, `Checkpoint.task`, with labels as strings.

    Files of other projects may name no task; a head that a single task is trained with names it then.

    Raises:
        InputError: a setting is of a wrong type or out of its range, or the head has another number of outputs than
            there are labels.
    """
    epsilon = member(task, "masked_lm_epsilon", 1e-12, WHERE)
    member(task, "masked_lm_activation", "", WHERE)
    if not 0 < epsilon < 1:
        raise InputError(f"{WHERE}: masked_lm_epsilon is {epsilon}. It must be above 0 and below 1.")
    name = member(task, "name", "", WHERE)
    if not name:
        heads = {part_of(weight) for weight in weights}
        trained = [spec for spec in tasks().values() if spec.head in heads and spec.targets]
        return task | {"name": trained[0].name} if len(trained) == 1 else task
    if name not in tasks():
        return task
    spec = tasks()[name]
    if "labels" in task:
        task = task | {"labels": _names(task["labels"])}
        outputs = len(weights.get(f"{spec.head}/bias", task["labels"]))
        if outputs != len(task["labels"]):
            raise InputError(f"{WHERE} name {len(task['labels'])} labels; the head {spec.head} has {outputs} outputs.")
    known = {field.name for field in dataclasses.fields(spec.settings)}
    parse(spec.settings, {key: value for key, value in task.items() if key in known}, WHERE)
    return task


def unnamed_heads(checkpoint: Checkpoint) -> list[str]:
    """A line for each head of a trained task that the settings do not name, so that whoever opens it has to."""
    if checkpoint.task.get("name"):
        return []
    present = {part_of(name) for name in checkpoint.weights}
    heads = sorted({spec.head for spec in tasks().values() if spec.targets} & present)
    return [f"No file names the task of the head {head}: open it as that task, with its labels." for head in heads]


def _names(labels: Any) -> list[str]:
    """Labels as strings; whole numbers, which some tools write, are their decimal digits."""
    if not isinstance(labels, list):
        raise InputError(f"{WHERE}: labels is {str(labels)[:80]!r}, which should be a list of names.")
    names = []
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, str | int):
            raise InputError(f"{WHERE}: {str(label)[:80]!r} among the labels, which should be names.")
        names.append(str(label))
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{WHERE}: {double!r} is twice among the labels. Each output of a head needs its own name.")
    return names
