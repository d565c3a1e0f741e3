"""Texts or pairs of texts, and classes, labels or scores, to batches for a classifier."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.tasks.base.long_text_task import LongTextPreprocessor
from bert_tf.tasks.classification.problem_types import ProblemType


class ClassificationPreprocessor(LongTextPreprocessor):
    """Encodes targets by the problem type, and texts as every task does.

    Attributes:
        one_hot: whether batches have classes as rows of 0 and 1, for losses that ask for them.
    """

    one_hot = False

    def __init__(self, spec: Any, tokenizer: Any, max_length: int, stride: int | None, problem: ProblemType):
        super().__init__(spec, tokenizer, max_length, stride)
        self.problem = problem

    def encode_targets(self, targets: Any) -> np.ndarray:
        """Names or numbers of classes, lists of them, or scores; a bad one raises `InputError` with its row."""
        if hasattr(targets, "columns"):
            targets = self._in_order(targets)
        return self.problem.encode(targets)

    def blank_targets(self, texts: tuple) -> np.ndarray:
        """Zeros as the targets of N texts, [N] or [N, C]."""
        return self.problem.blanks(int(texts[0].shape[0]))

    def _in_order(self, table: Any) -> Any:
        """A table with a column for each label, in the order of the labels; other tables unchanged."""
        labels = self.problem.labels
        names = {str(name): name for name in table.columns}
        if sorted(names) == sorted(labels):
            table = table[[names[label] for label in labels]]
        return table.to_numpy()

    def to_batch(self, texts: tuple, targets: Any, weights: Any = None) -> tuple:
        """As the base class; with `one_hot`, numbers of classes [N] as rows [N, C]."""
        if self.one_hot:
            targets = tf.one_hot(targets, len(self.problem.labels))
        return super().to_batch(texts, targets, weights)
