"""Evaluation of embedders of texts and files."""

from typing import Any

from bert_tf.evaluation.results import EvaluationResult
from bert_tf.tasks.multimodal_embedding.task import MultimodalEmbedder


def analyze(model: MultimodalEmbedder, examples: Any) -> EvaluationResult:
    """The `EvaluationResult` of an embedder on checked `Examples`: its scores, and what chance would have."""
    count = len(set(zip(*examples.texts[1:], strict=True)))
    note = f"Chance has a recall@10 of {min(1.0, 10 / count):.3f}: {count} files are searched."
    return EvaluationResult(model.score(examples.texts), {}, notes=[note])
