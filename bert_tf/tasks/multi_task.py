"""Several tasks at once: one encoder that all of them train, a head for each (Liu et al. 2019)."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import DistributedSteps


class MultiTask(DistributedSteps, keras.Model):
    """Tasks that share an encoder, trained in one `fit`: {name: inputs} to {name: logits}.

    Every batch has rows of all tasks, in shares p ~ size^(1 / temperature), and each task's loss counts by its share:
    the gradient that sampling tasks by p gives on average. Built for instance of
    `first = TextClassifier.from_pretrained(folder, labels=...)` and
    `second = TextTagger(first.tokenizer, labels=..., encoder=first.encoder)`.

    Args:
        tasks: {name: task model}, all with the same encoder.
        sizes: {name: number of training rows}.
        temperature: 1 samples by size; the higher, the more alike the shares are.
    """

    SCORE = "mean"

    def __init__(self, tasks, sizes, temperature=1.0, name="multi_task"):
        super().__init__(name=name)
        if len({id(task.encoder) for task in tasks.values()}) != 1:
            raise ConfigError("The tasks must share one encoder: give that of the first to the others as `encoder`.")
        if tasks.keys() != sizes.keys() or min(sizes.values()) < 1 or not temperature > 0:
            raise ConfigError(f"Received: sizes={sizes}, temperature={temperature}. Each task needs rows.")
        self.tasks = tasks
        weights = np.array([sizes[name] for name in tasks], float) ** (1 / temperature)
        self.shares = dict(zip(tasks, (weights / weights.sum()).tolist(), strict=True))
        self.rows = sum(sizes.values())
        self.encoder = next(iter(tasks.values())).encoder
        self.config = self.encoder.config
        if hasattr(self.encoder, "pooler"):
            self.encoder.pooler.trainable = any(task.reads_pooler for task in tasks.values())
        self.built = True

    def call(self, inputs, training=None):
        return {name: task(inputs[name], training=training) for name, task in self.tasks.items()}

    def compile(self, optimizer=None, **kwargs):
        """As Keras's; by default AdamW at 5e-5. Losses are the tasks' own, weighed by their shares."""
        losses = {name: task.default_loss() for name, task in self.tasks.items()}
        super().compile(
            optimizer or keras.optimizers.AdamW(5e-5, weight_decay=0.01, global_clipnorm=1.0),
            loss=losses,
            loss_weights={
                name: keras.tree.map_structure(lambda _, name=name: self.shares[name], loss)
                for name, loss in losses.items()
            },
            **kwargs,
        )

    def dataset(
        self, data, batch_size=32, shuffle=False, seed=0, start=0, shard=(0, 1), drop_remainder=False, repeat=1
    ):
        """Batches as `Task.dataset` gives them, of {name: (texts, targets)} or {name: prepared examples}.

        An epoch is as many batches as hold all rows together; small tasks come more than once in it, large ones in
        part, as their shares say.
        """
        parts = {
            name: task.dataset(
                *(data[name] if isinstance(data[name], tuple) else (data[name],)),
                batch_size=rows,
                shuffle=shuffle,
                seed=seed,
                start=start,
                shard=shard,
                drop_remainder=drop_remainder,
                repeat=None,
            ).map(_with_weight)
            for (name, task), rows in zip(self.tasks.items(), self.rows_of(batch_size), strict=True)
        }
        batches = tf.data.Dataset.zip(parts).map(
            lambda batch: tuple({name: part[i] for name, part in batch.items()} for i in range(3))
        )
        steps = self.steps_of(batch_size * shard[1])
        return batches if repeat is None else batches.take(max(0, repeat * steps - start))

    def rows_of(self, batch_size):
        """How many rows of a batch are of each task: at least one, the others by its share."""
        if batch_size < len(self.shares):
            raise ConfigError(f"Received: batch_size={batch_size}. Each of {len(self.shares)} tasks needs a row.")
        wanted = np.array(list(self.shares.values())) * batch_size
        rows = np.maximum(1, wanted.astype(int))
        while rows.sum() < batch_size:
            rows[np.argmax(wanted - rows)] += 1
        while rows.sum() > batch_size:
            rows[np.argmax(np.where(rows > 1, rows - wanted, -np.inf))] -= 1
        return rows.tolist()

    def steps_of(self, batch_size):
        """Batches in an epoch."""
        return -(-self.rows // batch_size)

    def fit(self, data, batch_size=32, epochs=1, *, shuffle=True, seed=None, **kwargs):
        """Keras's `fit`; data may be {name: (texts, targets)}. `seed` as for `Task.fit`."""
        if not isinstance(data, dict):
            return super().fit(data, epochs=epochs, **kwargs)
        seed = int(np.random.randint(2**31)) if seed is None else seed
        steps = kwargs.setdefault("steps_per_epoch", self.steps_of(batch_size))
        start = kwargs.get("initial_epoch", 0) * steps
        data = self.dataset(data, batch_size, shuffle, seed, start, repeat=None)
        return super().fit(data, epochs=epochs, shuffle=False, **kwargs)

    def score(self, data, batch_size=64):
        """{"name/metric": float} of {name: (texts, targets)}, and "mean": that of the tasks' main metrics."""
        scores = {name: self.tasks[name].score(*rows, batch_size=batch_size) for name, rows in data.items()}
        flat = {f"{name}/{metric}": value for name, own in scores.items() for metric, value in own.items()}
        return flat | {"mean": float(np.mean([own[self.tasks[name].SCORE] for name, own in scores.items()]))}

    def save_pretrained(self, folder, overwrite=False):
        """Writes each task to folder/name, from where `bert_tf.load` opens it alone."""
        for name, task in self.tasks.items():
            task.save_pretrained(pathlib.Path(folder) / name, overwrite=overwrite)


def _with_weight(x, y, weight=None):
    """(x, y, weight): the batches of all tasks look alike. Where no weights are given, every row counts 1."""
    if weight is None:
        weight = tf.nest.map_structure(lambda targets: tf.ones(tf.shape(targets)[:1]), y)
    return x, y, weight
