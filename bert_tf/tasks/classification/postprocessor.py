"""Logits of a classifier to classes, labels or scores."""

from typing import Any

import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.postprocessor import Postprocessor

# N texts, W windows, C classes


class ClassificationPostprocessor(Postprocessor):
    """Decodes what the problem type asks for, from the mean logits of a text's windows."""

    def __init__(self, labels: list[str], problem: Any):
        self.labels, self.problem = labels, problem

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Of logits [N or W, C]: the class or labels and all probabilities, or the score, each [N, ...]."""
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
        """Accuracy, F1 and Matthews of classes, micro and macro F1 of labels, Pearson and Spearman of scores."""
        return self.problem.score(answers, targets)
