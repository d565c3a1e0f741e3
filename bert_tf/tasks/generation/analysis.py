"""Evaluation of generated texts: ROUGE, BLEU, and the worst and best texts."""

import functools
from typing import Any

from bert_tf.evaluation.results import ErrorExample, EvaluationResult, most_severe
from bert_tf.tasks.base.analysis import one_line
from bert_tf.tasks.generation import METRICS
from bert_tf.tasks.generation.postprocessor import TEXT
from bert_tf.tasks.generation.task import TextGenerator

_SEVERITY = "rougeL"  # of single texts, which BLEU is not made for


def analyze(model: TextGenerator, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of a model on checked `Examples` with targets."""
    answers = model.predict_text(examples.texts)
    scores = model.postprocessor.score(answers, examples.targets)
    shown = []
    for i, answer in enumerate(answers):
        severity = 1 - float(scores.rouge[_SEVERITY][i])
        text = one_line(examples.texts, i)
        shown.append(ErrorExample(severity, examples.places[i], text, examples.targets[i], answer[TEXT]))
    return EvaluationResult(
        scores.all(),
        {name: functools.partial(scores.of, name) for name in METRICS},
        errors=most_severe(example for example in shown if example.severity > 0),
        best=sorted(shown, key=lambda example: example.severity)[:50],
        answers=[answer[TEXT] for answer in answers],
        notes=model.postprocessor.describe_metrics(),
    )
