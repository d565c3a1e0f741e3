"""Comparison of an artifact's answers with those of Keras, before the artifact is kept."""

from collections.abc import Mapping

import numpy as np

from bert_tf.core.errors import InputError


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
