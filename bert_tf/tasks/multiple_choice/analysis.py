"""Evaluation of multiple choice: accuracy, calibration and the most confident wrong choices."""

from typing import Any

import numpy as np

from bert_tf.evaluation.results import ErrorExample, EvaluationResult, most_severe
from bert_tf.tasks.multiple_choice.task import MultipleChoice


def analyze(model: MultipleChoice, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of a model on checked `Examples` with targets."""
    answers = model.predict_text(examples.texts)
    targets = model.preprocessor.encode_targets(examples.targets)  # [N]
    correct = np.array([answer["choice"] for answer in answers]) == targets
    confidence = np.array([answer["probability"] for answer in answers])
    contexts, endings = examples.texts
    errors = []
    for i in np.flatnonzero(~correct):
        target = endings[i][targets[i]]
        prediction = f"{answers[i]['ending']} ({confidence[i]:.0%})"
        errors.append(ErrorExample(confidence[i], examples.places[i], contexts[i], target, prediction))
    return EvaluationResult(
        model.postprocessor.compute_metrics(answers, examples.targets),
        {"accuracy": lambda rows: correct[rows].mean()},
        confidence=(confidence, correct),
        errors=most_severe(errors),
        answers=[answer["choice"] for answer in answers],
    )
