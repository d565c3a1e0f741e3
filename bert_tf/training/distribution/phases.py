"""Parts of a run, each with its own batches, that can begin at any step."""

import dataclasses
import typing

import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.training.distribution.strategies import worker


@dataclasses.dataclass(frozen=True)
class Phase:
    """`steps` steps on batches of `batch_size` rows, of all replicas together.

    `read(rows, start, shard)` gives a `tf.data.Dataset` of batches of `rows` rows from position `start` on, for shard
    (k, n) of n. `evaluate(model)`, if any, gives figures on held-out data, {name: number}.
    """

    steps: int
    batch_size: int
    read: typing.Callable
    evaluate: typing.Callable | None = None


def rows_a_replica(strategy, batch_size, accumulation_steps=1):
    """The rows that each replica gets of a batch; `ConfigError` if they cannot share it."""
    replicas = strategy.num_replicas_in_sync
    if batch_size % (replicas * accumulation_steps):
        raise ConfigError(
            f"Received: batch_size={batch_size}, accumulation_steps={accumulation_steps} on {replicas} replica(s). "
            f"The batch must be a multiple of {replicas * accumulation_steps}."
        )
    return batch_size // replicas


def distribute(strategy, read, rows):
    """The dataset whose every step gives each replica `rows` rows: together those that one replica would get.

    Each replica reads a shard of its own, so that epochs end alike however many there are.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return read(rows, shard=(0, 1))
    number, workers = worker()
    local = replicas // workers

    def read_of_worker(context):
        del context
        shards = [read(rows, shard=(number * local + i, replicas)) for i in range(local)]
        if local == 1:
            return shards[0]
        return tf.data.Dataset.choose_from_datasets(shards, tf.data.Dataset.range(local).repeat())

    return strategy.distribute_datasets_from_function(read_of_worker)
