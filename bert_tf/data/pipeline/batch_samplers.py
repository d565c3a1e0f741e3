"""Which examples stand in which batch: a function of its number and a seed, so that any batch can be the first."""

import dataclasses
import functools

import numpy as np

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.permutation import permute
from bert_tf.data.pipeline.sequence_packing import best_fit

_POOL = 64  # batches that are sorted together


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all plans have in common: batches of `batch_size` rows for worker `worker` of `workers`, in seeded order."""

    batch_size: int
    seed: int = 0
    shuffle: bool = True
    worker: int = 0
    workers: int = 1
    drop_remainder: bool = True

    def __post_init__(self):
        if self.batch_size < 1:
            raise ConfigError(f"Received: batch_size={self.batch_size}. It must be at least 1.")
        if not 0 <= self.worker < self.workers:
            raise ConfigError(f"Received: shard=({self.worker}, {self.workers}). Workers are numbered from 0.")

    def batches(self, rows):
        """Batches in an epoch of `rows` rows; every worker has the same number."""
        whole, rest = divmod(rows, self.batch_size * self.workers)
        return whole + bool(rest and not self.drop_remainder and self.workers == 1)

    def rows(self, number, rows, salt=0):
        """Rows, of `rows`, in the batch `number`, int [N]; the workers' batches of one number are side by side."""
        epoch, batch = divmod(number, self.batches(rows))
        first = (batch * self.workers + self.worker) * self.batch_size
        places = np.arange(first, min(first + self.batch_size, rows))
        return permute(places, rows, [self.seed, epoch, salt]) if self.shuffle else places


class SingleRows:
    """One example a row, all of one width.

    Like all kinds of rows here it has `num_batches`, those of an epoch, and `batch(number)`, which gives the numbers
    of the examples, int64 [M], how many of them stand in each row, int32 [B], and the width of the rows.
    """

    def __init__(self, plan, examples, width):
        self.plan, self.examples, self.width = plan, examples, width
        self.num_batches = plan.batches(examples)
        _check_batches(self.num_batches, examples, plan)

    def batch(self, number):
        numbers = self.plan.rows(number, self.examples)
        return numbers, np.ones(len(numbers), np.int32), self.width


class BucketedRows:
    """One example a row, batched with others of about its length, so that batches need less padding."""

    def __init__(self, plan, lengths, widths):
        """Takes the lengths of all examples, int [N], and the rising widths that rows may have, the last for all."""
        self.plan, self.widths = plan, widths
        bucket = np.searchsorted(widths, lengths)
        self.members = [np.flatnonzero(bucket == number) for number in range(len(widths))]
        self.batches = np.array([plan.batches(len(members)) for members in self.members])
        self.num_batches = int(self.batches.sum())
        _check_batches(self.num_batches, len(lengths), plan)

    def batch(self, number):
        epoch, place = divmod(number, self.num_batches)
        if self.plan.shuffle:
            place = int(permute([place], self.num_batches, [self.plan.seed, epoch])[0])
        ends = np.cumsum(self.batches)
        bucket = int(np.searchsorted(ends, place, side="right"))
        place += self.batches[bucket] - ends[bucket]  # counted inside its bucket
        members = self.members[bucket]
        rows = self.plan.rows(epoch * self.batches[bucket] + place, len(members), salt=bucket + 1)
        return members[rows], np.ones(len(rows), np.int32), self.widths[bucket]


class SortedRows:
    """One example a row, batched with others of about its length, and every example once an epoch.

    The examples are dealt in random order into pools; each pool is sorted and cut into batches, and these come in
    random order again. No batch is left short but the last of the epoch, as there would be one a bucket.
    """

    def __init__(self, plan, lengths):
        """Takes the lengths of all examples, int [N]."""
        self.plan, self.lengths = plan, lengths
        self.num_batches = plan.batches(len(lengths))
        _check_batches(self.num_batches, len(lengths), plan)
        self._pool = min(_POOL, -(-self.num_batches // 4))  # batches; of a small set, too, several pools
        pools = -(-self.num_batches // self._pool)
        self._dealt = functools.lru_cache(2 * pools)(self._dealt)  # an epoch, and the next that is fetched ahead

    def batch(self, number):
        epoch, place = divmod(number, self.num_batches)
        pool, place = divmod(int(permute([place], self.num_batches, [self.plan.seed, epoch, 1])[0]), self._pool)
        first = (place * self.plan.workers + self.plan.worker) * self.plan.batch_size
        rows = self._dealt(epoch, pool)[first : first + self.plan.batch_size]
        return rows, np.ones(len(rows), np.int32), int(self.lengths[rows].max())

    def _dealt(self, epoch, pool):
        """The examples of a pool, the longest first."""
        size = self.plan.batch_size * self.plan.workers
        end = min((pool + 1) * self._pool, self.num_batches) * size
        places = np.arange(pool * self._pool * size, min(end, len(self.lengths)))
        dealt = permute(places, len(self.lengths), [self.plan.seed, epoch])
        return dealt[np.argsort(-self.lengths[dealt], kind="stable")]


class PackedRows:
    """Several examples a row, best fit; which examples of a length share a row changes from epoch to epoch."""

    def __init__(self, plan, lengths, predictions, row_length):
        """Takes the lengths of all examples, the most predictions that each may have, int [N], and the row length."""
        self.plan, self.lengths, self.width = plan, lengths, row_length
        falling = np.argsort(-lengths, kind="stable")
        row_of = best_fit(lengths[falling], row_length)
        self.members = np.argsort(row_of, kind="stable")  # places in the falling order, row by row
        self.counts = np.bincount(row_of).astype(np.int32)
        self.begins = np.concatenate([[0], np.cumsum(self.counts)])
        self.num_batches = plan.batches(len(self.counts))
        _check_batches(self.num_batches, len(self.counts), plan)
        most = np.zeros(lengths.max() + 1, np.int64)  # predictions, by length: any example of a length may come
        np.maximum.at(most, lengths, predictions)
        in_row = np.add.reduceat(most[lengths[falling[self.members]]], self.begins[:-1])
        self.predictions, self.examples = int(in_row.max()), int(self.counts.max())
        self.filled = lengths.sum() / (len(self.counts) * row_length)
        self._falling = functools.lru_cache(2)(self._falling)  # an epoch, and the next that is fetched ahead

    def batch(self, number):
        falling = self._falling(number // self.num_batches)
        rows = self.plan.rows(number, len(self.counts))
        places = np.concatenate([self.members[self.begins[row] : self.begins[row + 1]] for row in rows])
        return falling[places], self.counts[rows], self.width

    def _falling(self, epoch):
        """All examples in order of falling length, those of a length in random order."""
        if not self.plan.shuffle:
            return np.argsort(-self.lengths, kind="stable")
        ties = np.random.default_rng([self.plan.seed, epoch]).permutation(len(self.lengths))
        return np.lexsort((ties, -self.lengths))


def _check_batches(batches, rows, plan):
    if not batches:
        raise InputError(
            f"There are {rows} rows, fewer than one batch of {plan.batch_size} for each of {plan.workers} "
            "worker(s). Take a smaller batch, or more text."
        )
