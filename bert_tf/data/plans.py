"""Which examples stand in which batch: a function of its number and a seed, so that any batch can be the first."""

import dataclasses

import numpy as np

from bert_tf.data.order import permute
from bert_tf.errors import ConfigError, InputError


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
    """One example a row."""

    def __init__(self, plan, examples):
        self.plan, self.examples = plan, examples
        self.num_batches = plan.batches(examples)
        if not self.num_batches:
            raise InputError(
                f"The records hold {examples} examples, fewer than one batch of {plan.batch_size} for each of "
                f"{plan.workers} worker(s)."
            )

    def batch(self, number):
        """Numbers of the examples in a batch, int64 [N]."""
        return self.plan.rows(number, self.examples)
