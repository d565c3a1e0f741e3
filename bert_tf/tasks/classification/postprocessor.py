"""Logits of a classifier to classes, labels or scores."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.classification.problem_types import ProblemType

# N texts, W windows, C classes


class ClassificationPostprocessor(Postprocessor):
    """Decodes classes, labels or scores by the problem type, from the mean logits of a text's windows."""

    def __init__(self, labels: list[str], problem: ProblemType):
        self.labels, self.problem = labels, problem

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Logits, float32 [N or W, C], to the class or labels and all probabilities, or the score, each [N, ...]."""
        return self.problem.postprocess(windows.mean_of_texts(outputs, inputs))

    def to_python(self, answer: dict) -> dict:
        """{"label": name, "probability": float, "probabilities": {name: float}}; {"labels": names, ...}; {"score"}."""
        answer = super().to_python(answer)
        if "labels" in answer:
            answer["labels"] = [name for name in answer["labels"] if name]
        if "probabilities" in answer:
            answer["probabilities"] = dict(zip(self.labels, answer["probabilities"], strict=True))
        return answer

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """The metrics of the problem type; a bad target raises `InputError` with its row."""
        return self.problem.score(answers, targets)

    def constant_score(self, targets: Any) -> float:
        """As `Postprocessor.constant_score`, by the problem type."""
        return self.problem.constant_score(targets)
