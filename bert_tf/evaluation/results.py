"""Evaluation results on labelled examples, and the counts that they are made of."""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence

import numpy as np

# N examples, M answers with a confidence, C classes

RESULTS = "metrics.json"  # in the folder of a run or a report


@dataclasses.dataclass(frozen=True)
class ErrorExample:
    """An answer, in most cases a wrong one, with what a reader needs to see why.

    Attributes:
        severity: how wrong it is; a report shows the highest first.
        place: of the example in its file, "line 7" for instance.
        text: of the example, on one line.
        target, prediction: the right answer and the model's, for people.
    """

    severity: float
    place: str
    text: str
    target: str
    prediction: str


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """Results of a model on N labelled examples; parts that a task does not have are empty.

    Attributes:
        scores: {metric: number}, as the model's `score` returns them.
        metric_functions: {metric: function of the numbers of some examples, int [K], to the metric on these alone}.
        classes: {class: {"precision", "recall", "f1", "rows"}}.
        confusion: (names of C classes, counts int [C, C] with a row per true and a column per predicted class).
        confidence: (probabilities that the model gave its answers, float [M]; whether these were right, bool [M]).
        probabilities: (probabilities of all classes, float [N, C]; right classes, int [N]), where an example has one.
        pairs: (true scores [N], predicted scores [N]).
        errors: the worst answers, by severity.
        best: the best answers, the best first, where a reader can tell more from them than that they are right.
        notes: lines that say how the metrics were computed.
        answers: the model's choice for each example, or word of a tagger; empty for numbers.
    """

    scores: dict[str, float]
    metric_functions: dict[str, Callable[[np.ndarray], float]]
    classes: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    confusion: tuple[Sequence[str], np.ndarray] | None = None
    confidence: tuple[np.ndarray, np.ndarray] | None = None
    probabilities: tuple[np.ndarray, np.ndarray] | None = None
    pairs: tuple[np.ndarray, np.ndarray] | None = None
    errors: list[ErrorExample] = dataclasses.field(default_factory=list)
    best: list[ErrorExample] = dataclasses.field(default_factory=list)
    notes: Sequence[str] = ()
    answers: Sequence[Hashable] = ()


def class_table(
    names: Sequence[str], true: np.ndarray, predicted: np.ndarray, correct: np.ndarray
) -> dict[str, dict[str, float]]:
    """{class: {"precision", "recall", "f1", "rows"}} from counts [C] in the targets, in the answers and in both."""
    table = {}
    for name, rows, answers, hits in zip(names, true, predicted, correct, strict=True):
        table[name] = {
            "precision": ratio(hits, answers),
            "recall": ratio(hits, rows),
            "f1": ratio(2 * hits, rows + answers),
            "rows": int(rows),
        }
    return table


def ratio(part: float, whole: float) -> float:
    """part / whole; 0 where whole is 0."""
    return float(part / whole) if whole else 0.0


def confusion_counts(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Confusion matrix from class numbers, int [K] each: counts int [C, C], a row per true class."""
    return np.bincount(true * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def most_severe(errors: Iterable[ErrorExample], limit: int = 50) -> list[ErrorExample]:
    """The errors of highest severity, the highest first; of equal ones in the given order."""
    return sorted(errors, key=lambda error: -error.severity)[:limit]
