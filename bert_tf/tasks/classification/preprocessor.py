"""Texts or pairs of texts, and classes, labels or scores, to batches for a classifier."""

from typing import Any

import numpy as np

from bert_tf.tasks.base.long_text_task import LongTextPreprocessor


class ClassificationPreprocessor(LongTextPreprocessor):
    """Encodes targets as the problem type says; texts as any task."""

    def __init__(self, spec: Any, tokenizer: Any, max_length: int, stride: int | None, problem: Any):
        super().__init__(spec, tokenizer, max_length, stride)
        self.problem = problem

    def encode_targets(self, targets: Any) -> np.ndarray:
        """Names or numbers of classes, lists of them, or scores; a bad one raises `InputError` with its row."""
        return self.problem.encode(np.asarray(targets) if hasattr(targets, "__array__") else list(targets))
