"""Evaluation of question answering."""

from typing import Any

import numpy as np

from bert_tf.evaluation.results import ErrorExample, EvaluationResult, most_severe
from bert_tf.tasks.question_answering import metrics
from bert_tf.tasks.question_answering.task import QuestionAnswerer

_CONTEXT = 80  # characters shown on both sides of the right answer


def analyze(model: QuestionAnswerer, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of a question answering model on checked `Examples` with targets."""
    answers = model.predict_text(examples.texts)
    scores = model.postprocessor.compute_metrics(answers, examples.targets)
    metric = metrics.METRICS[model.metric]
    references = [[reference["text"] for reference in target] for target in examples.targets]
    rows = [metric([answer["answer"]], [texts]) for answer, texts in zip(answers, references, strict=True)]
    exact_match = np.array([row["exact_match"] for row in rows])  # [N]
    f1 = np.array([row["f1"] for row in rows])  # [N]
    confidence = np.array([answer["score"] for answer in answers])  # [N]
    errors = []
    for i in np.flatnonzero(f1 < 1):
        question, context = (column[i] for column in examples.texts)
        target = " / ".join(dict.fromkeys(references[i])) or "no answer"
        errors.append(
            ErrorExample(
                float((1 - f1[i]) * confidence[i]),
                examples.places[i],
                f"{question} — {_excerpt(context, examples.targets[i])}",
                target,
                answers[i]["answer"] or "no answer",
            )
        )
    return EvaluationResult(
        scores,
        {"exact_match": lambda rows: exact_match[rows].mean(), "f1": lambda rows: f1[rows].mean()},
        confidence=(confidence, exact_match > 0),
        errors=most_severe(errors),
    )


def _excerpt(context: str, references: list[dict]) -> str:
    """The context around its first right answer."""
    start = end = 0
    if references:
        start = references[0]["answer_start"]
        end = start + len(references[0]["text"])
    return f"…{context[max(0, start - _CONTEXT) : end + _CONTEXT]}…"
