"""The score of one answer to all examples, which a model has to beat."""

from typing import Any

import numpy as np

from bert_tf.evaluation.results import EvaluationResult


def find_baseline(model: Any, examples: Any, result: EvaluationResult) -> dict[str, Any]:
    """The best answer that is the same for all examples.

    Returns:
        {"metric": the model's main one, "score": its value, "answer": the class where examples have one, else None}.
    """
    score = model.postprocessor.constant_score(examples.targets or [])
    answer = None
    if result.confusion and score > 0:
        names, counts = result.confusion
        answer = names[int(np.argmax(counts.sum(1)))]
    return {"metric": model.SCORE, "score": score, "answer": answer}


def find_weakness(baseline: dict[str, Any], result: EvaluationResult) -> str | None:
    """Describes in one sentence a model that gives one answer only or scores no better than one; None for others."""
    metric, constant = baseline["metric"], baseline["score"]
    score = result.scores.get(metric, 1.0)
    if score >= 1:
        return None
    count = len(result.answers)
    if count > 1 and len(set(result.answers)) == 1:
        given = result.answers[0]
        return f"The model gives one answer, {given!r}, to all {count:,} examples or words."
    if score > constant:
        return None
    return (
        f"The model does no better than one answer to all examples: its {metric.replace('_', ' ')} is {score:.3f}, "
        f"and that gets {constant:.3f}."
    )
