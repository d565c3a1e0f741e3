"""Dropout from 8 random bits per element: drawing 32 took longer than all the rest of it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from bert_tf.modeling.ops.fused_ops import dropout
from bert_tf.modeling.train_step import replica_seed


@keras.saving.register_keras_serializable("bert_tf")
class Dropout(keras.layers.Dropout):
    """Keras's layer and its state, with the rate rounded to a multiple of 1 / 256, but at least 1 / 256.

    Kept elements are divided by exactly the share that is kept, in float32.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(rate, **kwargs)
        self.dropped = 0  # of the 256 values of a byte
        if rate:
            self.dropped = max(1, round(256 * rate))
        self.scale = 0.0  # where all are dropped
        if self.dropped < 256:
            self.scale = 256 / (256 - self.dropped)
        self.seeds: Iterator | None = None

    def make_seeds(self, count: int) -> list[Any]:
        """Draws seeds for the next `count` calls of `mask_args`, for `fixed_seeds`; none at rate 0."""
        if not self.rate:
            return []
        return [self.seed_generator.next() for _ in range(count)]

    @contextlib.contextmanager
    def fixed_seeds(self, seeds: Sequence[Any]) -> Iterator[None]:
        """A context in which `mask_args` uses these seeds in order, so that a second pass applies the same masks."""
        self.seeds = iter(seeds)
        try:
            yield
        finally:
            self.seeds = None

    def call(self, x: Any, training: bool | None = None) -> Any:
        """`x` [...] with elements dropped in training, `x` itself otherwise."""
        if not training or not self.rate:
            return x
        return dropout(x, *self.mask_args())

    def mask_args(self) -> tuple[Any, int, float]:
        """Arguments of the functions in fused_ops.py: (a new seed, uint32 [2], `dropped`, `scale`); no seed at rate 0.

        Each replica under `tf.distribute` has its own seed.
        """
        if not self.rate:
            return None, 0, 1.0
        seed = next(self.seeds) if self.seeds else self.seed_generator.next()
        return ops.cast(replica_seed(seed), "uint32"), self.dropped, self.scale
