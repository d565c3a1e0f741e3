"""Batches that are Poisson samples of the examples, as the accounting of DP-SGD assumes."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.data.pipeline.batch_samplers import Batch, BatchPlan, BatchSampler
from bert_tf.tasks.base.prepared import PreparedExamples

# N examples, M examples of a batch

_SALT = 7  # tells the sample's generator from others of the same seed


class PoissonSampler(BatchSampler):
    """Each example is in a batch with the probability B / N, whatever else is in it; B is the plan's batch size.

    Args:
        plan: of one worker.
        num_examples: N, at least B.
    """

    def __init__(self, plan: BatchPlan, num_examples: int):
        super().__init__(plan, num_examples)
        self.num_examples = num_examples

    def batch(self, number: int) -> Batch:
        """The batch at position `number`; it may have any number of examples."""
        random = np.random.default_rng([self.plan.seed, number, _SALT])
        chosen = np.flatnonzero(random.random(self.num_examples) * self.num_examples < self.plan.batch_size)
        return Batch(chosen, np.ones(len(chosen), np.int32), None)


def poisson_batches(
    examples: PreparedExamples, batch_size: int, seed: int, start: int = 0, multiple: int = 1
) -> tf.data.Dataset:
    """Endless batches (inputs, targets, weights), the longest rows first, so that parts of a batch need little padding.

    A batch depends on the seed and its position alone.

    Args:
        examples: to sample from.
        batch_size: expected examples of a batch.
        seed: of the sample.
        start: position of the first batch.
        multiple: of which the rows of a batch are one, at least one; rows that fill it up have the weight 0.
    """
    sampler = PoissonSampler(BatchPlan(batch_size, seed), len(examples))

    def draw(number: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of examples, int64 [M], and whether each is part of the sample, float32 [M]."""
        chosen = sampler.batch(int(number)).examples
        chosen = chosen[np.argsort(-examples.lengths[chosen], kind="stable")]
        rows = multiple * max(1, -(-len(chosen) // multiple))
        numbers = np.full(rows, chosen[-1] if len(chosen) else 0)  # the shortest example fills up
        numbers[: len(chosen)] = chosen
        return numbers, (np.arange(rows) < len(chosen)).astype(np.float32)

    def fetch(number: tf.Tensor) -> tuple:
        numbers, real = tf.numpy_function(draw, [number], [tf.int64, tf.float32])
        real = tf.ensure_shape(real, [None])
        x, y, weights = keras.utils.unpack_x_y_sample_weight(examples.batch(tf.ensure_shape(numbers, [None])))
        if weights is None:
            weights = tf.nest.map_structure(lambda _: tf.ones_like(real), y)

        def weigh(weight: tf.Tensor) -> tf.Tensor:
            ones = [1] * (weight.shape.rank - 1)
            return tf.cast(weight, tf.float32) * tf.reshape(real, [-1, *ones])

        return x, y, tf.nest.map_structure(weigh, weights)

    return sampler.dataset(fetch, start, None)
