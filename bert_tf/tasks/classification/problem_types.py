"""Problem types of a classifier, by Hugging Face's names: one class, any number of labels, or a score."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.base.labels import LabelIndex, are_numbers, is_indicator
from bert_tf.tasks.base.metrics import class_metrics, commonest_share, correlations, encode_scores, label_metrics
from bert_tf.tasks.base.raw_inputs import as_column, as_list

# N texts, C classes


class ProblemType:
    """The part of a classifier that differs between problem types: loss, metrics, targets and decoding.

    Attributes:
        SCORE: key of the main metric of `score`.
        summary: what a model of this type does, in one line.
        least_labels: the smallest number of labels, C.
        LOSSES: as `Task.LOSSES`.
        index: finds the number of a label (`LabelIndex`).
    """

    SCORE: str
    LOSSES: tuple[str, ...] | None = None
    summary: str
    least_labels = 1

    def __init__(self, labels: Sequence[str]):
        self.labels = labels
        self.index = LabelIndex(labels)

    def loss(self) -> Any:
        """The loss that `compile` takes by default."""
        raise NotImplementedError

    def metrics(self) -> list:
        """The metrics that `compile` takes by default."""
        raise NotImplementedError

    def metrics_of_logits(self, metrics: Any) -> Any:
        """The metrics that `compile` is given, by name or as objects, as they have to be for logits."""
        return metrics

    def encode(self, targets: Any) -> np.ndarray:
        """Targets of N texts as an array [N] or [N, C]; a bad one raises `InputError` with its row."""
        raise NotImplementedError

    def blanks(self, count: int) -> np.ndarray:
        """Zeros of the shape and type of `encode` for `count` texts."""
        return np.zeros((count, len(self.labels)), "float32")

    def postprocess(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Logits, float32 [N, C], to decoded answers {name: [N, ...]}; TensorFlow ops only."""
        raise NotImplementedError

    def score(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Metrics of N answers in Python; a bad target raises `InputError` with its row."""
        raise NotImplementedError

    def constant_score(self, targets: Any) -> float:
        """The main metric of the best answer that is the same for all N targets."""
        del targets
        return 0.0  # a correlation


class SingleLabel(ProblemType):
    """One of C classes per text; targets are names or numbers of classes (`LabelIndex`), or one-hot rows [N, C]."""

    SCORE = "accuracy"
    LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy")
    summary = "Chooses one of the labels for a text or a pair of texts."
    least_labels = 2

    def loss(self) -> Any:
        """Cross-entropy over the classes."""
        return GlobalMean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def metrics(self) -> list:
        """Accuracy."""
        return ["accuracy"]

    def encode(self, targets: Any) -> np.ndarray:
        """Numbers of classes, int32 [N]; an unknown class raises `InputError` with its row."""
        targets = as_column(targets)
        numbers = np.zeros(len(targets), "int32")
        for row, target in enumerate(targets):
            if is_indicator(target, len(self.labels)):
                numbers[row] = _place_of_one(target, row)
            else:
                numbers[row] = self.index.number(target, row)
        return numbers

    def blanks(self, count: int) -> np.ndarray:
        """Numbers of the first class, int32 [count]."""
        return np.zeros(count, "int32")

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

    def constant_score(self, targets: Any) -> float:
        """The share of the commonest class."""
        return commonest_share(self.encode(targets).tolist())


class MultiLabel(ProblemType):
    """Any number of C labels per text; targets are lists of names or numbers, or a table [N, C] of 0 and 1."""

    SCORE = "micro_f1"
    LOSSES = ("binary_crossentropy", "binary_focal_crossentropy")
    summary = "Chooses any number of the labels for a text or a pair of texts."

    def loss(self) -> Any:
        """Binary cross-entropy of each label."""
        return GlobalMean(keras.losses.BinaryCrossentropy(from_logits=True))

    def metrics(self) -> list:
        """Accuracy over all labels of all texts."""
        return self.metrics_of_logits(["accuracy"])

    def metrics_of_logits(self, metrics: Any) -> Any:
        """As the base class; accuracy is over all labels: Keras's would compare the highest logits."""
        if not isinstance(metrics, list | tuple):
            return metrics
        found = []
        for metric in metrics:
            if metric in ("accuracy", "acc", "binary_accuracy"):
                metric = keras.metrics.BinaryAccuracy(metric, threshold=0.0)
            found.append(metric)
        return found

    def encode(self, targets: Any) -> np.ndarray:
        """Table of 0 and 1, float32 [N, C].

        Raises:
            InputError: a target is not a list of labels, names its row; or it cannot be known whether 0 and 1 are
                numbers of labels or tell of each label whether it is there.
        """
        rows = as_list(targets)
        if getattr(targets, "ndim", 0) == 2 and all(are_numbers(row, len(self.labels)) for row in rows):
            return self._check_table(rows)
        tables = [is_indicator(row, len(self.labels)) for row in rows]
        if any(tables):
            self._check_meaning(rows, tables)
            return self._check_table(rows)
        encoded = np.zeros((len(rows), len(self.labels)), "float32")
        for row, names in enumerate(rows):
            if not isinstance(names, list):
                raise InputError(f"Row {row} has the target {names!r}. Each text needs a list of labels.")
            for name in names:
                encoded[row, self.index.number(name, row)] = 1
        return encoded

    def _check_meaning(self, rows: list, tables: list[bool]) -> None:
        """Raises `InputError` unless the rows have 0 and 1 for each label, and could not be numbers of labels."""
        could_be_names = self.index.called_by_numbers and not any(len(set(row)) < len(row) for row in rows)
        if all(tables) and not could_be_names:
            return
        row = tables.index(True)
        raise InputError(
            f"Received targets that may be numbers of labels, or 0 and 1 for each label: {rows[row]} in row {row}. "
            f"Give names of labels ({', '.join(self.labels[:20])}), or an array of 0 and 1, "
            f"[{len(rows)}, {len(self.labels)}]."
        )

    def _check_table(self, rows: list) -> np.ndarray:
        table = np.array(rows, "float32").reshape(len(rows), len(self.labels))
        for row in np.flatnonzero(((table != 0) & (table != 1)).any(1)):
            raise InputError(f"Row {row} has the targets {rows[row]}. They must be 0 or 1.")
        return table

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

    def constant_score(self, targets: Any) -> float:
        """The micro F1 of always giving the k commonest labels, for the best k."""
        table = self.encode(targets)  # [N, C]
        right = np.cumsum(np.sort(table.sum(0))[::-1])  # of the k commonest labels, [C]
        given = len(table) * np.arange(1, len(right) + 1)  # [C]
        return float(np.max(2 * right / (given + table.sum())))


class Regression(ProblemType):
    """One number per text; several labels raise `ConfigError`."""

    SCORE = "spearman"
    summary = "Gives a score to a text or a pair of texts."

    def __init__(self, labels: Sequence[str]):
        if len(labels) > 1:
            raise ConfigError(f"Received: {len(labels)} labels for a regression. It gives each text one score.")
        super().__init__(labels)

    def loss(self) -> Any:
        """Mean squared error."""
        return GlobalMean(keras.losses.MeanSquaredError())

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


def _place_of_one(target: list, row: int) -> int:
    if sum(target) != 1:
        raise InputError(f"Row {row} has the target {target}. A text is of one class: one 1, all others 0.")
    return target.index(1)
