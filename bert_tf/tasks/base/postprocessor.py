"""A model's outputs to answers."""

from typing import Any

import numpy as np


class Postprocessor:
    """Decodes what a task's model returns, in the graph, and makes Python values and metrics of the answers."""

    def __call__(self, outputs: Any, inputs: dict) -> dict:
        """Decoded answers in the graph, {name: [N, ...]}, from what the model's `call` returns; TensorFlow ops only."""
        raise NotImplementedError

    def to_python(self, answer: dict) -> dict:
        """One decoded answer, {name: numpy value}, as Python strings, numbers and lists of them."""
        return {name: _as_python(value) for name, value in answer.items()}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """The answers of `to_python` to N encoded texts, with the words of the texts that they are about."""
        return answers

    def compute_metrics(self, answers: list[dict], targets: Any) -> dict[str, float]:
        """Metrics of the answers that `predict_text` gives to N examples with these targets."""
        raise NotImplementedError


def _as_python(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_as_python(item) for item in value]
    return value.tolist()
