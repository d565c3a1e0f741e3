"""Distribution of a data source's batches to the replicas of a strategy."""

from typing import Any

import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.training.distribution.strategies import worker


def rows_per_replica(strategy: tf.distribute.Strategy, batch_size: int, accumulation_steps: int = 1) -> int:
    """The rows of a batch that each replica gets.

    Raises:
        ConfigError: the batch cannot be divided equally by replicas and accumulation steps.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % (replicas * accumulation_steps):
        raise ConfigError(
            f"Received: batch_size={batch_size}, accumulation_steps={accumulation_steps} on {replicas} replica(s). "
            f"The batch must be a multiple of {replicas * accumulation_steps}."
        )
    return batch_size // replicas


def distribute(strategy: tf.distribute.Strategy, source: Any, rows: int, start: int = 0) -> Any:
    """A dataset that gives each replica `rows` rows per step; together they are the batch that one replica would get.

    Each replica reads its own shard, so that an epoch ends at the same step for any number of replicas.

    Args:
        source: has `batches(rows, start, shard)`, as a `DataSource` does.
        rows: of a batch on each replica.
        start: position of the first batch.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return source.batches(rows, start, (0, 1))
    number, workers = worker()
    local = replicas // workers

    def batches_of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        del context
        shards = [source.batches(rows, start, (number * local + i, replicas)) for i in range(local)]
        if local == 1:
            return shards[0]
        # TensorFlow takes one batch after the other for this worker's replicas: one of each shard in turn.
        return tf.data.Dataset.choose_from_datasets(shards, tf.data.Dataset.range(local).repeat())

    return strategy.distribute_datasets_from_function(batches_of_worker)
