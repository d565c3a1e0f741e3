"""Evaluation of text embedders."""

from typing import Any

import numpy as np

from bert_tf.evaluation.results import EvaluationResult
from bert_tf.tasks.base.analysis import analyze_scores
from bert_tf.tasks.embedding.task import TextEmbedder


def analyze(model: TextEmbedder, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of an embedder on checked `Examples`; without targets only its scores."""
    scores = model.score(examples.texts, examples.targets)
    if examples.targets is None:
        return EvaluationResult(scores, {})
    true = np.array([float(target) for target in examples.targets])
    return analyze_scores(true, model.similarity(*examples.texts), examples, scores)
