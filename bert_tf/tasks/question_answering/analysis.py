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
    references, exact_match, f1, confidence = [], np.zeros(len(answers)), np.zeros(len(answers)), np.zeros(len(answers))
    for i, (answer, target) in enumerate(zip(answers, examples.targets, strict=True)):
        references.append([reference["text"] for reference in target])
        own = metric([answer["answer"]], [references[i]])
        exact_match[i], f1[i], confidence[i] = own["exact_match"], own["f1"], answer["score"]
    errors = []
    questions, contexts = examples.texts
    for i in np.flatnonzero(f1 < 1):
        target = " / ".join(dict.fromkeys(references[i])) or "no answer"
        errors.append(
            ErrorExample(
                float((1 - f1[i]) * confidence[i]),
                examples.places[i],
                f"{questions[i]} — {_excerpt(contexts[i], examples.targets[i])}",
                target,
                answers[i]["answer"] or "no answer",
            )
        )
    return EvaluationResult(
        scores,
        {"exact_match": lambda rows: exact_match[rows].mean(), "f1": lambda rows: f1[rows].mean()},
        confidence=(confidence, exact_match > 0),
        errors=most_severe(errors),
        answers=[answer["answer"] for answer in answers],
    )


def _excerpt(context: str, references: list[dict]) -> str:
    """The context around the first right answer; its beginning where there is no answer."""
    start = end = 0
    if references:
        start = references[0]["answer_start"]
        end = start + len(references[0]["text"])
    return f"…{context[max(0, start - _CONTEXT) : end + _CONTEXT]}…"
