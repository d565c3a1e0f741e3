"""Checked examples as tensors, before tokenization."""

import dataclasses
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.settings import shortened
from bert_tf.tasks.base.batching import take
from bert_tf.tasks.base.raw_inputs import as_column, finite_float32

# N examples


@dataclasses.dataclass(frozen=True)
class EncodedExamples:
    """N checked examples as tensors, before tokenization.

    Attributes:
        texts: tuple of columns, string tensors [N] or ragged [N, (words)].
        targets: a nest of tensors or arrays [N, ...]; None for texts alone.
        weights: float32 [N]; None: all examples count the same.
    """

    texts: tuple
    targets: Any = None
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return int(self.texts[0].shape[0])

    def take(self, numbers: np.ndarray) -> "EncodedExamples":
        """The examples with these numbers, int [M]."""
        weights = None if self.weights is None else self.weights[numbers]
        return EncodedExamples(take(self.texts, numbers), take(self.targets, numbers), weights)

    def split(self, share: float) -> tuple["EncodedExamples", "EncodedExamples"]:
        """All but the last `share` of the examples, and these, as Keras's `validation_split` cuts arrays.

        Raises:
            InputError: one part would be empty.
        """
        first = int(np.floor(len(self) * (1 - share)))
        if not 0 < first < len(self):
            raise InputError(f"Received: validation_split={share} for {len(self)} texts. One part would be empty.")
        numbers = np.arange(len(self))
        return self.take(numbers[:first]), self.take(numbers[first:])


def encode_weights(weights: Any, count: int) -> np.ndarray | None:
    """Sample weights of `count` examples, [N] or [N, 1], as float32 [N]; None stays None.

    Raises:
        InputError: there are more or fewer, or one is not a finite number; names its row.
    """
    if weights is None:
        return None
    weights = as_column(weights)
    if len(weights) != count:
        raise InputError(f"Received {count} texts and {len(weights)} sample weights. Give one for each text.")
    for row, weight in enumerate(weights):
        if not finite_float32(weight):
            raise InputError(f"Row {row} has the sample weight {shortened(weight)}, which is not a finite number.")
    return np.array(weights, "float32")
