"""Examples that are tokenized once and padded batch by batch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.data.pipeline.batch_samplers import (
    BatchPlan,
    BatchSampler,
    LengthGroupedSampler,
    SequentialSampler,
    check_batch_size,
)
from bert_tf.tasks.base.batching import take

# N examples, B of them in a batch

CHARACTERS = 2**20  # about how many a batch of inference has, where texts are read whole


class PreparedExamples:
    """N tokenized examples of a task; a batch is gathered and padded, and nothing is tokenized again.

    Attributes:
        rows: tuple of nests of tensors, ragged or not, [N, ...].
        lengths: tokens in the longest row of each example, int [N].
        texts: the encoded texts, where answers may quote them; None in training.
    """

    def __init__(
        self,
        rows: Any,
        pad: Callable,
        lengths: np.ndarray,
        texts: tuple | None = None,
        characters: np.ndarray | None = None,
    ):
        """Keeps the rows of all examples.

        Args:
            rows: see the attributes.
            pad: function of these nests, for the examples of a batch, to the padded batch.
            lengths: see the attributes.
            texts: see the attributes.
            characters: number of characters of each text, where texts of any length are read whole, int [N].
        """
        self.rows, self._pad, self._characters = rows, pad, characters
        self.lengths, self.texts = lengths, texts

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, numbers: Any) -> Any:
        """The examples with these numbers, int [B], padded to the longest of them."""
        return self._pad(*take(self.rows, numbers))

    def whole(self) -> Any:
        """All examples as one batch."""
        return self.batch(np.arange(len(self)))

    def take(self, numbers: np.ndarray) -> "PreparedExamples":
        """The examples with these numbers, int [M], without their texts."""
        characters = None if self._characters is None else self._characters[numbers]
        return PreparedExamples(take(self.rows, numbers), self._pad, self.lengths[numbers], None, characters)

    def changed(self, change: Callable) -> "PreparedExamples":
        """The same examples with the rows `change(*rows)`, a tuple of nests as in the constructor."""
        return PreparedExamples(change(*self.rows), self._pad, self.lengths, self.texts, self._characters)

    def followed_by(self, others: "PreparedExamples") -> "PreparedExamples":
        """These examples, then `others`, whose rows have the same structure; without their texts."""
        rows = tf.nest.map_structure(lambda *values: tf.concat(values, 0), self.rows, others.rows)
        return PreparedExamples(rows, self._pad, np.concatenate([self.lengths, others.lengths]))

    def sampler(self, plan: BatchPlan) -> BatchSampler:
        """Chooses the examples of each batch; a plan that shuffles groups them by length, for less padding."""
        if plan.shuffle:
            return LengthGroupedSampler(plan, self.lengths)
        return SequentialSampler(plan, len(self), None)

    def batches(self, sampler: BatchSampler, start: int = 0, repeat: int | None = 1) -> tf.data.Dataset:
        """Batches as `tf.data`; the batch at position k depends on the sampler's seed and k alone.

        Args:
            sampler: over N examples.
            start: position of the first batch, counted over epochs.
            repeat: number of epochs; None repeats forever.
        """
        size = sampler.plan.batch_size if sampler.plan.drop_remainder else None

        def fetch(number):
            # Samplers are NumPy code; the batch itself is gathered and padded by TensorFlow ops.
            numbers = tf.numpy_function(lambda number: sampler.batch(int(number)).examples, [number], tf.int64)
            return self.batch(tf.ensure_shape(numbers, [size]))

        return sampler.dataset(fetch, start, repeat)

    def batches_by_length(self, batch_size: int) -> list[np.ndarray]:
        """Numbers of examples of similar length for each batch of inference, the longest first.

        A batch has `batch_size` examples, or fewer where texts are read whole and are long.
        """
        check_batch_size(batch_size)
        if self._characters is not None:
            return _bounded_batches(self._characters, batch_size)
        order = np.arange(len(self))
        if len(order) > batch_size:
            order = np.argsort(-self.lengths, kind="stable")
        return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


@dataclasses.dataclass
class PreparedColumns:
    """Columns of N texts each, prepared separately."""

    columns: list[PreparedExamples]

    def __len__(self) -> int:
        return len(self.columns[0])


def _bounded_batches(characters: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Numbers of texts for each batch: at most `batch_size` texts and `CHARACTERS` characters, or one longer text."""
    order = np.argsort(-characters, kind="stable")
    first, batches = 0, []
    while first < len(order):
        count = max(1, min(batch_size, CHARACTERS // max(1, characters[order[first]])))
        batches.append(order[first : first + count])
        first += count
    return batches
