"""Comparison of an artifact's answers with those of Keras, before the artifact is kept."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.task import Task


def largest_difference(answers: Mapping, expected: Mapping, exact: bool = False) -> float:
    """Largest absolute difference of a number in the answers; infinite where names or shapes differ.

    Args:
        answers: {name: tensor or array} of the artifact.
        expected: {name: tensor} of Keras.
        exact: whether the difference is also infinite where texts or whole numbers differ.
    """
    if answers.keys() != expected.keys():
        return np.inf
    differences = []
    for name, value in expected.items():
        if tuple(answers[name].shape) != tuple(value.shape):
            return np.inf
        if value.dtype.is_floating:
            differences.append(float(np.abs(answers[name] - value).max(initial=0)))
        elif exact and np.any(np.asarray(answers[name]) != value.numpy()):
            return np.inf
    return max(differences, default=0.0)


def check_difference(artifact: str, difference: float, tolerance: float) -> None:
    """Raises `InputError` where the answers of an artifact, named for the message, differ from Keras too much."""
    if not difference <= tolerance:  # also refuses NaN
        raise InputError(
            f"The {artifact}'s answers differ from Keras by {difference:.2g}; at most {tolerance:.2g} is allowed. "
            "It was not kept."
        )


def compared_scores(model: Task, found: float, data: tuple[Any, Any], max_drop: float, name: str) -> dict[str, Any]:
    """The main metric of a model and of an artifact, under "keras" and `name`, on the same examples.

    Args:
        found: the artifact's.
        data: the examples, (texts, targets).
        max_drop: percentage points that the artifact's may be lower; more raise `InputError`.
        name: of the kind of artifact.
    """
    expected = model.score(*data)[model.SCORE]
    drop = 100 * (expected - found) / model.SCORE_MAX
    if not drop <= max_drop:  # also refuses NaN
        raise InputError(
            f"The file's {model.SCORE} is {found:.4f}, {drop:.2f} points below that of Keras; it was not kept. Choose "
            f"another --quantize or --dtype, or allow more than --max_drop={max_drop}."
        )
    return {"metric": model.SCORE, "keras": expected, name: found, "drop_points": drop, "rows": len(data[1])}


def scores_line(scores: Mapping[str, Any], name: str) -> str:
    """The result of `compared_scores` as a line of text."""
    return f"{scores['metric']} {scores[name]:.4f} (Keras: {scores['keras']:.4f}) on {scores['rows']} examples"
