"""Problem types of a classifier, by Hugging Face's names: one class, any number of labels, or a score."""

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.train_step import global_mean
from bert_tf.tasks.base.metrics import class_metrics, correlations, encode_scores, label_metrics

# N texts, C classes


class SingleLabel:
    """One of C classes per text; targets are their names or numbers."""

    SCORE = "accuracy"
    least_labels = 2

    def __init__(self, labels):
        self.labels = labels
        self.number = {i: i for i in range(len(labels))} | {label: i for i, label in enumerate(labels)}

    def loss(self):
        return global_mean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def metrics(self):
        return ["accuracy"]

    def encode(self, targets):
        """int32 [N]; a target outside the labels raises `InputError` with its row."""
        return np.array([number_of(self.number, target, row) for row, target in enumerate(targets)], "int32")

    def postprocess(self, logits):
        """Of logits [N, C]: {"label": string [N], "probability": [N], "probabilities": [N, C]}."""
        probabilities = tf.nn.softmax(logits)
        return {
            "label": tf.gather(tf.constant(self.labels), tf.argmax(probabilities, -1)),
            "probability": tf.reduce_max(probabilities, -1),
            "probabilities": probabilities,
        }

    def score(self, answers, targets):
        truth = [self.labels[number] for number in self.encode(targets)]
        return class_metrics(truth, [answer["label"] for answer in answers], self.labels)


class MultiLabel:
    """Any number of C labels per text; targets are lists of their names or numbers, or a table [N, C] of 0 and 1."""

    SCORE = "micro_f1"
    least_labels = 1

    def __init__(self, labels):
        self.labels = labels
        self.number = SingleLabel(labels).number

    def loss(self):
        return global_mean(keras.losses.BinaryCrossentropy(from_logits=True))

    def metrics(self):
        return [keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)]

    def encode(self, targets):
        """float32 [N, C]; a target that is not a list of labels raises `InputError` with its row."""
        if (
            isinstance(targets, np.ndarray)
            and targets.shape[1:] == (len(self.labels),)
            and targets.dtype.kind in "buif"
        ):
            return self._table(targets)
        encoded = np.zeros((len(targets), len(self.labels)), "float32")
        for row, names in enumerate(targets):
            if isinstance(names, str | bytes) or not hasattr(names, "__iter__"):
                raise InputError(f"Row {row} has the target {names!r}. Each text needs a list of labels.")
            for name in names:
                encoded[row, number_of(self.number, name, row)] = 1
        return encoded

    def _table(self, targets):
        strange = np.flatnonzero(((targets != 0) & (targets != 1)).any(1))
        if len(strange):
            raise InputError(f"Row {strange[0]} has the targets {targets[strange[0]].tolist()}. They must be 0 or 1.")
        return targets.astype("float32")

    def postprocess(self, logits):
        """Of logits [N, C]: {"labels": string [N, most], padded with "", "probabilities": [N, C]}."""
        probabilities = tf.sigmoid(logits)
        chosen = probabilities >= 0.5
        names = tf.broadcast_to(tf.constant(self.labels), tf.shape(chosen))
        return {"labels": tf.ragged.boolean_mask(names, chosen).to_tensor(""), "probabilities": probabilities}

    def score(self, answers, targets):
        found = self.encode([answer["labels"] for answer in answers])
        return label_metrics(self.encode(targets), found)


class Regression:
    """One number per text."""

    SCORE = "spearman"
    least_labels = 1

    def __init__(self, labels):
        if len(labels) > 1:
            raise ConfigError(f"Received: {len(labels)} labels for a regression. It gives each text one score.")
        self.labels = labels

    def loss(self):
        return global_mean(keras.losses.MeanSquaredError())

    def metrics(self):
        return ["mae"]

    def encode(self, targets):
        """float32 [N, 1]; a target that is not a finite number raises `InputError` with its row."""
        return encode_scores(targets)[:, np.newaxis]

    def postprocess(self, logits):
        """Of logits [N, 1]: {"score": [N]}."""
        return {"score": logits[:, 0]}

    def score(self, answers, targets):
        return correlations(encode_scores(targets), [answer["score"] for answer in answers])


PROBLEM_TYPES = {
    "single_label_classification": SingleLabel,
    "multi_label_classification": MultiLabel,
    "regression": Regression,
}


def number_of(number, label, row):
    """The number of a class by its name or number in the dict `number`; another raises `InputError` with the row."""
    label = label.decode() if isinstance(label, bytes) else label
    if not isinstance(label, str | int | np.integer) or label not in number:
        names = [name for name in number if isinstance(name, str)]
        raise InputError(f"Row {row} has the label {label!r}. Labels: {', '.join(names[:20])}.")
    return number[label]
