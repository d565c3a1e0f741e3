"""Problem types of a classifier, by Hugging Face's names: one class, any number of labels, or a score."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.metrics import class_metrics, correlations, encode_scores, label_metrics

# N texts, C classes


class ProblemType:
    """The part of a classifier that differs between problem types: loss, metrics, targets and decoding.

    Attributes:
        SCORE: key of the main metric of `score`.
        least_labels: the smallest number of labels, C.
        number: the number of each label, by its name and by the number itself.
    """

    SCORE: str
    least_labels = 1

    def __init__(self, labels: Sequence[str]):
        self.labels = labels
        self.number: dict[Any, int] = {}
        for i in range(len(labels)):
            self.number[i] = i
        for i, label in enumerate(labels):
            self.number[label] = i

    def loss(self) -> Any:
        """The loss that `compile` takes by default."""
        raise NotImplementedError

    def metrics(self) -> list:
        """The metrics that `compile` takes by default."""
        raise NotImplementedError

    def encode(self, targets: Any) -> np.ndarray:
        """Targets of N texts as an array [N] or [N, C]; a bad one raises `InputError` with its row."""
        raise NotImplementedError

    def postprocess(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits, float32 [N, C], to decoded answers {name: [N, ...]}; TensorFlow ops only."""
        raise NotImplementedError

    def score(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Metrics of N answers in Python; a bad target raises `InputError` with its row."""
        raise NotImplementedError


class SingleLabel(ProblemType):
    """One of C classes per text; targets are names or numbers of classes."""

    SCORE = "accuracy"
    least_labels = 2

    def loss(self) -> Any:
        """Cross-entropy over the classes."""
        return global_mean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def metrics(self) -> list:
        """Accuracy."""
        return ["accuracy"]

    def encode(self, targets: Any) -> np.ndarray:
        """Numbers of classes, int32 [N]; an unknown class raises `InputError` with its row."""
        numbers = np.zeros(len(targets), "int32")
        for row, target in enumerate(targets):
            numbers[row] = number_of(self.number, target, row)
        return numbers

    def postprocess(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits [N, C] to {"label": string [N], "probability": [N], "probabilities": [N, C]}."""
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(tf.constant(self.labels), tf.argmax(probabilities, -1)),
            "probability": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    def score(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Accuracy, macro F1 and Matthews correlation; for two classes also F1 of the second."""
        truth = [self.labels[number] for number in self.encode(targets)]
        return class_metrics(truth, [answer["label"] for answer in answers], self.labels)


class MultiLabel(ProblemType):
    """Any number of C labels per text; targets are lists of names or numbers, or a table [N, C] of 0 and 1."""

    SCORE = "micro_f1"

    def loss(self) -> Any:
        """Binary cross-entropy of each label."""
        return global_mean(keras.losses.BinaryCrossentropy(from_logits=True))

    def metrics(self) -> list:
        """Accuracy over all labels of all texts."""
        return [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]

    def encode(self, targets: Any) -> np.ndarray:
        """Table of 0 and 1, float32 [N, C]; a target that is not a list of labels raises `InputError` with its row."""
        # An array of numbers is a table of 0 and 1; one of objects holds lists of labels.
        is_array = isinstance(targets, np.ndarray) and targets.dtype.kind in "buif"
        if is_array and targets.shape[1:] == (len(self.labels),):
            return self._check_table(targets)
        encoded = np.zeros((len(targets), len(self.labels)), "float32")
        for row, names in enumerate(targets):
            if isinstance(names, str | bytes) or not hasattr(names, "__iter__"):
                raise InputError(f"Row {row} has the target {names!r}. Each text needs a list of labels.")
            for name in names:
                encoded[row, number_of(self.number, name, row)] = 1
        return encoded

    def _check_table(self, targets: np.ndarray) -> np.ndarray:
        for row in np.flatnonzero(((targets != 0) & (targets != 1)).any(1)):
            raise InputError(f"Row {row} has the targets {targets[row].tolist()}. They must be 0 or 1.")
        return targets.astype("float32")

    def postprocess(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits [N, C] to {"labels": string [N, most labels], padded with "", "probabilities": [N, C]}."""
        probabilities = tf.sigmoid(logits)
        chosen = probabilities >= 0.5
        names = tf.broadcast_to(tf.constant(self.labels), tf.shape(chosen))
        return {"labels": tf.ragged.boolean_mask(names, chosen).to_tensor(""), "probabilities": probabilities}

    def score(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Micro and macro F1, and the share of texts with all labels right."""
        found = self.encode([answer["labels"] for answer in answers])
        return label_metrics(self.encode(targets), found)


class Regression(ProblemType):
    """One number per text; several labels raise `ConfigError`."""

    SCORE = "spearman"

    def __init__(self, labels: Sequence[str]):
        if len(labels) > 1:
            raise ConfigError(f"Received: {len(labels)} labels for a regression. It gives each text one score.")
        super().__init__(labels)

    def loss(self) -> Any:
        """Mean squared error."""
        return global_mean(keras.losses.MeanSquaredError())

    def metrics(self) -> list:
        """Mean absolute error."""
        return ["mae"]

    def encode(self, targets: Any) -> np.ndarray:
        """Scores, float32 [N, 1]; a target that is not a finite number raises `InputError` with its row."""
        return encode_scores(targets)[:, np.newaxis]

    def postprocess(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits [N, 1] to {"score": [N]}."""
        return {"score": logits[:, 0]}

    def score(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Pearson and Spearman correlation."""
        return correlations(encode_scores(targets), [answer["score"] for answer in answers])


PROBLEM_TYPES: dict[str, type[ProblemType]] = {
    "single_label_classification": SingleLabel,
    "multi_label_classification": MultiLabel,
    "regression": Regression,
}


def number_of(number: Mapping[Any, int], label: Any, row: int) -> int:
    """The number of a class, from `number` by name and by number; an unknown one raises `InputError` with the row."""
    if isinstance(label, bytes):
        label = label.decode()
    if not isinstance(label, str | int | np.integer) or label not in number:
        names = [name for name in number if isinstance(name, str)]  # without the numbers
        raise InputError(f"Row {row} has the label {label!r}. Labels: {', '.join(names[:20])}.")
    return number[label]
