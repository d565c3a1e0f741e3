"""Weights of classes in the loss, for classes that are rare."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import shortened
from bert_tf.tasks.base.labels import LabelIndex
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.raw_inputs import finite_float32

BALANCED = "balanced"

# N targets, C classes


def number_weights(weights: Any, labels: Sequence[str], numbers: np.ndarray | None) -> dict[int, float]:
    """Weights by number of the class, in the form of Keras's `class_weight`; the default weight is 1.

    Args:
        weights: {label: weight}, labels as targets are given (`LabelIndex`); or "balanced", which gives a class with n
            of N targets the weight N / (C n).
        labels: names of the C classes.
        numbers: classes of all N targets, int [N]; needed for "balanced" alone.

    Raises:
        ConfigError: a label is unknown, a weight is no finite number of at least 0, or "balanced" has no targets.
    """
    numbered = dict.fromkeys(range(len(labels)), 1.0)
    if isinstance(weights, Mapping):
        index = LabelIndex(labels)
        for name, weight in weights.items():
            if name not in index:
                raise ConfigError(f"Received: a class_weight for {name!r}. Labels: {', '.join(labels[:20])}.")
            if not finite_float32(weight) or weight < 0:
                raise ConfigError(
                    f"Received: the class_weight {shortened(weight)} for {name!r}. Weights are finite numbers, "
                    "at least 0."
                )
            numbered[index.number(name, 0)] = float(weight)
        return numbered
    if not isinstance(weights, str) or weights != BALANCED or numbers is None:
        raise ConfigError(f"Received: class_weight={weights!r}. Give {{label: weight}}, or 'balanced' with targets.")
    counts = np.bincount(numbers, minlength=len(labels))  # [C]
    for number, count in enumerate(counts):
        if count:
            numbered[number] = float(counts.sum() / (len(counts) * count))
    return numbered


def weigh_classes(examples: PreparedExamples, weights: Mapping[int, float]) -> PreparedExamples:
    """Prepared examples whose targets count by the weights of their classes; a weight that they have is kept too.

    Args:
        examples: rows of (inputs, targets) or (inputs, targets, weights); targets are numbers of classes, int
            [N, ...], ragged or not, or one-hot, float [N, C].
        weights: of each class, by its number.
    """
    of_class = tf.constant([weights[number] for number in range(len(weights))], tf.float32)  # [C]

    def weigh(inputs: Any, targets: Any, given: Any = 1.0) -> tuple:
        classes = tf.argmax(targets, -1) if targets.dtype.is_floating else targets
        return inputs, targets, tf.gather(of_class, classes) * given

    return examples.changed(weigh)
