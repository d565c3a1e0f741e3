"""What is told about a model's answers to rows of which the right ones are known."""

import dataclasses

import numpy as np

RESULTS = "metrics.json"  # of a run or a report, in its folder


@dataclasses.dataclass(frozen=True)
class Mistake:
    """An answer that was wrong: how bad that is, the greater the worse, and what a reader needs to see why."""

    badness: float
    place: str
    text: str
    right: str
    found: str


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Of N rows; what a task has nothing for is empty.

    Attributes:
        scores: {metric: number}, as the task's `score` gives them.
        measures: {metric: function of row numbers, int [M], to the metric on these rows alone}.
        classes: {class: {"precision", "recall", "f1", "rows"}}.
        confusion: (names of C classes, counts int [C, C] of true classes by those found).
        sureness: (probabilities that answers were given [M], whether these were right [M]).
        pairs: (true scores [N], those found [N]).
        mistakes: list of `Mistake`, the worst first.
    """

    scores: dict
    measures: dict
    classes: dict = dataclasses.field(default_factory=dict)
    confusion: tuple | None = None
    sureness: tuple | None = None
    pairs: tuple | None = None
    mistakes: list = dataclasses.field(default_factory=list)


def class_table(names, right, found, both):
    """{class: {"precision", "recall", "f1", "rows"}} from counts [C]: in truth, in answers, in both."""
    table = {}
    for name, true, given, hit in zip(names, right, found, both, strict=True):
        table[name] = {
            "precision": ratio(hit, given),
            "recall": ratio(hit, true),
            "f1": ratio(2 * hit, true + given),
            "rows": int(true),
        }
    return table


def ratio(part, whole):
    """part / whole, 0 where there is nothing."""
    return float(part / whole) if whole else 0.0


def confusion_counts(truth, found, classes):
    """Counts int [C, C] of true classes by those found, from their numbers [M]."""
    return np.bincount(truth * classes + found, minlength=classes * classes).reshape(classes, classes)


def worst_first(mistakes, most=50):
    """The worst of the mistakes."""
    return sorted(mistakes, key=lambda mistake: -mistake.badness)[:most]
