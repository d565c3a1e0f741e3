"""Samplers: the examples of a batch are a function of its number and a seed, so that any batch can be first."""

import abc
import dataclasses
import functools
import numbers
import typing
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.permutation import permute
from bert_tf.data.pipeline.sequence_packing import best_fit

# Legend: N examples of the data, B rows of a batch, M examples of a batch (M = B but for packed rows).

_POOL_BATCHES = 64  # batches that are sorted by length together
_PREFETCH = 2  # batches that wait for the training step


@dataclasses.dataclass(frozen=True)
class BatchPlan:
    """Batches of `batch_size` rows for worker `worker` of `workers`, in seeded order."""

    batch_size: int
    seed: int = 0
    shuffle: bool = True
    worker: int = 0
    workers: int = 1
    drop_remainder: bool = True

    def __post_init__(self):
        check_batch_size(self.batch_size)
        if not 0 <= self.worker < self.workers:
            raise ConfigError(f"Received: shard=({self.worker}, {self.workers}). Workers are numbered from 0.")

    def num_batches(self, rows: int) -> int:
        """Batches in an epoch of `rows` rows; the same for every worker."""
        whole, rest = divmod(rows, self.batch_size * self.workers)
        return whole + bool(rest and not self.drop_remainder and self.workers == 1)

    def rows_of(self, number: int, rows: int, salt: int = 0) -> np.ndarray:
        """The rows of batch `number`, int64 [B], out of `rows`; all workers' batches of one number are disjoint."""
        epoch, batch = divmod(number, self.num_batches(rows))
        first = (batch * self.workers + self.worker) * self.batch_size
        positions = np.arange(first, min(first + self.batch_size, rows))
        return permute(positions, rows, [self.seed, epoch, salt]) if self.shuffle else positions


def check_batch_size(size: typing.Any) -> None:
    """Raises `ConfigError` for anything but a whole number of at least 1."""
    if not isinstance(size, numbers.Integral) or size < 1:
        raise ConfigError(f"Received: batch_size={size!r}. It must be a whole number, at least 1.")


class Batch(typing.NamedTuple):
    """The examples of a batch, row by row."""

    examples: np.ndarray  # int64 [M]
    counts: np.ndarray  # int32 [B], examples in each row
    width: int | None  # of the rows; None where they are not cut


class BatchSampler(abc.ABC):
    """Chooses the examples of batches; batches are numbered over epochs.

    Args:
        plan: a `BatchPlan`.
        rows: rows of an epoch. `InputError` where they do not fill one batch for each worker.
        num_batches: batches of an epoch; None: as the plan says.
    """

    def __init__(self, plan: BatchPlan, rows: int, num_batches: int | None = None):
        self.plan = plan
        self.num_batches = plan.num_batches(rows) if num_batches is None else num_batches
        if not self.num_batches:
            raise InputError(
                f"There are {rows} rows, fewer than one batch of {plan.batch_size} for each of {plan.workers} "
                "worker(s). Use a smaller batch, or more text."
            )

    @abc.abstractmethod
    def batch(self, number: int) -> Batch:
        """The batch at position `number`, counted over epochs."""

    def dataset(
        self, load: Callable[[tf.Tensor], typing.Any], start: int = 0, repeat: int | None = 1
    ) -> tf.data.Dataset:
        """A dataset of `load(number)` for the batch numbers from `start` on, several loaded at once, in order.

        Args:
            load: turns the number of a batch, a scalar int64 tensor, into its tensors.
            start: the position of the first batch, counted over epochs.
            repeat: how many epochs; None never ends.
        """
        end = tf.int64.max if repeat is None else repeat * self.num_batches
        load = tf.autograph.experimental.do_not_convert(load)
        data = tf.data.Dataset.range(start, end).map(load, tf.data.AUTOTUNE, deterministic=True)
        if repeat is None:
            data = data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
        options = tf.data.Options()
        # Autotuning has nothing to tune here, and its thread can delay the end of `fit` by up to a minute.
        options.autotune.enabled = False
        # The plan shards already.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return data.prefetch(_PREFETCH).with_options(options)


class SequentialSampler(BatchSampler):
    """One example in each row, all rows of one width, in the plan's order: that of the data, or a random one."""

    def __init__(self, plan: BatchPlan, num_examples: int, width: int | None):
        super().__init__(plan, num_examples)
        self.num_examples, self.width = num_examples, width

    def batch(self, number: int) -> Batch:
        examples = self.plan.rows_of(number, self.num_examples)
        return Batch(examples, np.ones(len(examples), np.int32), self.width)


class BucketBatchSampler(BatchSampler):
    """One example in each row, batched with examples of the same bucket of lengths, so that little is padding.

    Args:
        plan: a `BatchPlan`.
        lengths: of all examples, int [N].
        widths: the widths of rows, rising; the last is at least the largest length.
    """

    def __init__(self, plan: BatchPlan, lengths: np.ndarray, widths: Sequence[int]):
        bucket_of = np.searchsorted(widths, lengths)
        self.widths = widths
        self.buckets = [np.flatnonzero(bucket_of == bucket) for bucket in range(len(widths))]
        self.batches_of = np.array([plan.num_batches(len(bucket)) for bucket in self.buckets])
        super().__init__(plan, len(lengths), int(self.batches_of.sum()))

    def batch(self, number: int) -> Batch:
        epoch, place = divmod(number, self.num_batches)
        if self.plan.shuffle:
            place = int(permute([place], self.num_batches, [self.plan.seed, epoch])[0])
        ends = np.cumsum(self.batches_of)
        bucket = int(np.searchsorted(ends, place, side="right"))
        place += self.batches_of[bucket] - ends[bucket]  # counted inside its bucket
        members = self.buckets[bucket]
        rows = self.plan.rows_of(epoch * self.batches_of[bucket] + place, len(members), salt=bucket + 1)
        return Batch(members[rows], np.ones(len(rows), np.int32), self.widths[bucket])


class LengthGroupedSampler(BatchSampler):
    """One example in each row, batched with examples of about the same length, and every example once an epoch.

    Shuffled examples fill pools; each pool is sorted by length and cut into batches, which are shuffled again. Only
    the last batch of an epoch can be short, whereas buckets would leave a short one each.

    Args:
        plan: a `BatchPlan`.
        lengths: of all examples, int [N].
    """

    def __init__(self, plan: BatchPlan, lengths: np.ndarray):
        super().__init__(plan, len(lengths))
        self.lengths = lengths
        self._pool_batches = min(_POOL_BATCHES, -(-self.num_batches // 4))  # a small set has several pools too
        num_pools = -(-self.num_batches // self._pool_batches)
        # Kept for an epoch and for the next one, from which batches are prefetched.
        self._pool = functools.lru_cache(2 * num_pools)(self._sort_pool)

    def batch(self, number: int) -> Batch:
        epoch, place = divmod(number, self.num_batches)
        place = int(permute([place], self.num_batches, [self.plan.seed, epoch, 1])[0])
        pool, place = divmod(place, self._pool_batches)
        first = (place * self.plan.workers + self.plan.worker) * self.plan.batch_size
        examples = self._pool(epoch, pool)[first : first + self.plan.batch_size]
        return Batch(examples, np.ones(len(examples), np.int32), int(self.lengths[examples].max()))

    def _sort_pool(self, epoch, pool):
        """The examples of a pool, the longest first."""
        size = self.plan.batch_size * self.plan.workers
        end = min((pool + 1) * self._pool_batches, self.num_batches) * size
        positions = np.arange(pool * self._pool_batches * size, min(end, len(self.lengths)))
        examples = permute(positions, len(self.lengths), [self.plan.seed, epoch])
        return examples[np.argsort(-self.lengths[examples], kind="stable")]


class PackedSampler(BatchSampler):
    """Several examples in each row, by best fit; examples of equal length change places from epoch to epoch.

    Args:
        plan: a `BatchPlan`.
        lengths: of all examples, int [N].
        predictions: masked tokens that each example has at most, int [N].
        row_length: R.

    Attributes:
        max_predictions, max_examples: the most of them in a row, the same in every epoch.
        filled: share of the rows that is not padding.
    """

    def __init__(self, plan: BatchPlan, lengths: np.ndarray, predictions: np.ndarray, row_length: int):
        falling = np.argsort(-lengths, kind="stable")
        row_of = best_fit(lengths[falling], row_length)
        self.counts = np.bincount(row_of).astype(np.int32)
        super().__init__(plan, len(self.counts))
        self.lengths, self.width = lengths, row_length
        self.members = np.argsort(row_of, kind="stable")  # positions in the falling order, row by row
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        # Any example of a length may take the place of another, so each counts with the most predictions of its length.
        most = np.zeros(lengths.max() + 1, np.int64)
        np.maximum.at(most, lengths, predictions)
        in_row = np.add.reduceat(most[lengths[falling[self.members]]], self.starts[:-1])
        self.max_predictions, self.max_examples = int(in_row.max()), int(self.counts.max())
        self.filled = lengths.sum() / (len(self.counts) * row_length)
        self._order = functools.lru_cache(2)(self._falling_order)  # of an epoch and of the next, which is prefetched

    def batch(self, number: int) -> Batch:
        order = self._order(number // self.num_batches)
        rows = self.plan.rows_of(number, len(self.counts))
        places = np.concatenate([self.members[self.starts[row] : self.starts[row + 1]] for row in rows])
        return Batch(order[places], self.counts[rows], self.width)

    def _falling_order(self, epoch):
        """All examples by falling length, those of equal length in random order."""
        if not self.plan.shuffle:
            return np.argsort(-self.lengths, kind="stable")
        ties = np.random.default_rng([self.plan.seed, epoch]).permutation(len(self.lengths))
        return np.lexsort((ties, -self.lengths))
