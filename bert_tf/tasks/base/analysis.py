"""Parts of the evaluation that several tasks share: predicted against true scores, and texts on one line."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bert_tf.evaluation.results import ErrorExample, EvaluationResult, most_severe
from bert_tf.tasks.base.metrics import correlations


def analyze_scores(
    true: np.ndarray, predicted: np.ndarray, examples: Any, scores: dict[str, float]
) -> EvaluationResult:
    """Evaluation of true and predicted scores, float [N] each; the errors are the examples whose ranks differ most."""
    from scipy import stats

    rank_differences = np.abs(stats.rankdata(true) - stats.rankdata(predicted))
    errors = []
    for i in np.flatnonzero(rank_differences):
        severity, text = float(rank_differences[i]), one_line(examples.texts, i)
        errors.append(ErrorExample(severity, examples.places[i], text, f"{true[i]:.2f}", f"{predicted[i]:.2f}"))
    return EvaluationResult(
        scores,
        {
            "pearson": lambda rows: correlations(true[rows], predicted[rows])["pearson"],
            "spearman": lambda rows: correlations(true[rows], predicted[rows])["spearman"],
        },
        pairs=(true, predicted),
        errors=most_severe(errors),
    )


def one_line(columns: Sequence[Sequence[Any]], row: int) -> str:
    """The texts of an example on one line, without empty ones."""
    return " — ".join(str(column[row]) for column in columns if column[row])
