"""A model's outputs to answers."""

from typing import Any

import numpy as np


class Postprocessor:
    """Decodes the outputs of a task's model, in the graph, and converts answers to Python values and metrics."""

    def __call__(self, outputs: Any, inputs: dict) -> dict:
        """The outputs of the model's `call` to decoded answers {name: [N, ...]}; TensorFlow ops only."""
        raise NotImplementedError

    def to_python(self, answer: dict) -> dict:
        """One decoded answer, {name: numpy value}, as Python strings, numbers and lists of them."""
        return {name: _as_python(value) for name, value in answer.items()}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """Adds quotations of the N encoded texts to the answers of `to_python`; here none."""
        return answers

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Metrics of the answers of `predict_text` to N examples with these targets."""
        raise NotImplementedError

    def describe_metrics(self) -> list[str]:
        """Lines that say how the metrics are computed, where their names do not."""
        return []

    def constant_score(self, targets: Any) -> float:
        """The main metric of the best answer that is the same for all N examples: a model has to do better.

        0 for metrics that no such answer gets anything in, as correlations and the F1 of entities.
        """
        del targets
        return 0.0


def _as_python(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_as_python(item) for item in value]
    return value.tolist()
