"""Evaluation of classifiers: one class per text, any number of labels, or a score."""

from typing import Any

import numpy as np

from bert_tf.evaluation.results import (
    ErrorExample,
    EvaluationResult,
    class_table,
    confusion_counts,
    most_severe,
    ratio,
)
from bert_tf.tasks.base.analysis import analyze_scores, one_line
from bert_tf.tasks.classification.task import TextClassifier

# N texts, C classes


def analyze(model: TextClassifier, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of a classifier on checked `Examples` with targets."""
    answers = model.predict_text(examples.texts)
    scores = model.postprocessor.compute_metrics(answers, examples.targets)
    kinds = {
        "single_label_classification": _analyze_classes,
        "multi_label_classification": _analyze_labels,
        "regression": _analyze_regression,
    }
    return kinds[model.problem_type](model, examples, answers, scores)


def _analyze_classes(
    model: TextClassifier, examples: Any, answers: list[dict], scores: dict[str, float]
) -> EvaluationResult:
    num_classes = len(model.labels)
    true = model.preprocessor.encode_targets(examples.targets)  # [N]
    names, confidence = [], np.zeros(len(answers))
    for i, answer in enumerate(answers):
        names.append(answer["label"])
        confidence[i] = answer["probability"]
    predicted = model.preprocessor.encode_targets(names)  # [N]
    errors = []
    for i in np.flatnonzero(true != predicted):
        found = f"{names[i]} ({confidence[i]:.0%})"
        text = one_line(examples.texts, i)
        errors.append(ErrorExample(confidence[i], examples.places[i], text, model.labels[true[i]], found))

    def metric(name: str):
        return lambda rows: _class_metrics(confusion_counts(true[rows], predicted[rows], num_classes))[name]

    metrics = ["accuracy", "macro_f1"]
    if num_classes == 2:
        metrics.append("f1")
    counts = confusion_counts(true, predicted, num_classes)
    return EvaluationResult(
        scores,
        {name: metric(name) for name in metrics},
        class_table(model.labels, counts.sum(1), counts.sum(0), counts.diagonal()),
        (model.labels, counts),
        (confidence, true == predicted),
        (np.array([list(answer["probabilities"].values()) for answer in answers]), true),
        errors=most_severe(errors),
        answers=names,
    )


def _class_metrics(counts: np.ndarray) -> dict[str, float]:
    """Metrics from a confusion matrix; macro F1 is over the classes that occur, "f1" that of the last class."""
    hits, occurrences = counts.diagonal(), counts.sum(0) + counts.sum(1)
    f1 = 2 * hits / np.maximum(occurrences, 1)
    return {"accuracy": hits.sum() / counts.sum(), "macro_f1": f1[occurrences > 0].mean(), "f1": f1[-1]}


def _analyze_labels(
    model: TextClassifier, examples: Any, answers: list[dict], scores: dict[str, float]
) -> EvaluationResult:
    true = model.preprocessor.encode_targets(examples.targets).astype(bool)  # [N, C]
    predicted = model.preprocessor.encode_targets([answer["labels"] for answer in answers]).astype(bool)  # [N, C]
    probabilities = np.array([list(answer["probabilities"].values()) for answer in answers])  # [N, C]
    correct = true & predicted
    wrong = (true != predicted).any(1)  # [N]
    names = np.array(model.labels)
    errors = []
    for i in np.flatnonzero(wrong):
        severity = float(np.abs(true[i] - probabilities[i]).sum())
        target = ", ".join(names[true[i]]) or "none"
        answer = ", ".join(answers[i]["labels"]) or "none"
        errors.append(ErrorExample(severity, examples.places[i], one_line(examples.texts, i), target, answer))
    confidence = np.where(predicted, probabilities, 1 - probabilities)  # of a label, or of its absence
    return EvaluationResult(
        scores,
        {
            "micro_f1": lambda rows: ratio(2 * correct[rows].sum(), true[rows].sum() + predicted[rows].sum()),
            "accuracy": lambda rows: 1 - wrong[rows].mean(),
        },
        class_table(model.labels, true.sum(0), predicted.sum(0), correct.sum(0)),
        confidence=(confidence.ravel(), (true == predicted).ravel()),
        errors=most_severe(errors),
        answers=[", ".join(answer["labels"]) for answer in answers],
    )


def _analyze_regression(
    model: TextClassifier, examples: Any, answers: list[dict], scores: dict[str, float]
) -> EvaluationResult:
    true = model.preprocessor.encode_targets(examples.targets)[:, 0]
    return analyze_scores(true, np.array([answer["score"] for answer in answers]), examples, scores)
