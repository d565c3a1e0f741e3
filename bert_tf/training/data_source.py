"""Interfaces of the data that a `Trainer` trains on and evaluates with."""

import abc

import keras
import tensorflow as tf


class DataSource(abc.ABC):
    """Training batches that are prepared once and can be read from any position.

    Attributes:
        batch_size: sequences of a batch, of all replicas together.
        share: share of a run's steps that are done on this source, in (0, 1].
    """

    batch_size: int
    share: float = 1.0

    @property
    @abc.abstractmethod
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the data."""

    @abc.abstractmethod
    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Endless batches (x, y, sample_weight), starting at any batch so that a run can resume.

        Args:
            rows: sequences of a batch of one shard.
            start: position of the first batch, in batches from the start of the run.
            shard: (k, n): the part of each batch that replica k of n gets.
        """


class Validation(abc.ABC):
    """Held-out data, and the metric by which checkpoints are compared."""

    @abc.abstractmethod
    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """The model's metrics on the held-out data."""

    def losses(self, model: keras.Model) -> dict[str, float]:
        """Losses on the held-out data for the training curves, where `evaluate` does not measure them."""
        return {}

    @abc.abstractmethod
    def score(self, metrics: dict[str, float]) -> float:
        """The number by which checkpoints are compared (greater is better), from the result of `evaluate`."""
