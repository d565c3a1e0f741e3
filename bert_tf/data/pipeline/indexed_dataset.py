"""A `tf.data.Dataset` of batches that are made by their numbers."""

import tensorflow as tf

_AHEAD = 2  # batches that wait for the training step


def numbered_batches(make, num_batches, start=0, repeat=1):
    """Batches `make(number)` for the numbers from `start` on, several made at once, in order.

    `tf.data` does not tune itself: it has nothing to find out here, and the thread that does so keeps `fit` waiting
    at its end until it looks again, for up to a minute.

    Args:
        make: function of a scalar int64 tensor, the position of the batch counted over epochs.
        num_batches: of an epoch.
        repeat: how many epochs; None never ends.
    """
    end = tf.int64.max if repeat is None else repeat * num_batches
    data = tf.data.Dataset.range(start, end).map(make, tf.data.AUTOTUNE, deterministic=True)
    if repeat is None:
        data = data.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF  # plans shard
    return data.prefetch(_AHEAD).with_options(options)
