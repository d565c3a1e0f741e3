"""Dropout from 8 random bits an element: drawing 32 took longer than all else that it does."""

import contextlib

import keras
from keras import ops

from bert_tf.modeling.ops.fused_ops import dropout
from bert_tf.modeling.train_step import of_replica


class Dropout(keras.layers.Dropout):
    """Keras's layer with its state, at the rate's nearest multiple of 1 / 256 (but at least one).

    What is kept is scaled by exactly what that rate takes away, in float32.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(rate, **kwargs)
        self.dropped = max(1, round(256 * rate)) if rate else 0  # of 256 values of a byte
        self.seeds = None
        self.scale = 256 / (256 - self.dropped) if self.dropped < 256 else 0.0

    def draw(self, times):
        """Seeds for the next `times` calls of `dropping`, to be given to `drawn`."""
        return [self.seed_generator.next() for _ in range(times)] if self.rate else []

    @contextlib.contextmanager
    def drawn(self, seeds):
        """Inside, `dropping` takes these seeds one after the other: the same bytes are drawn each time."""
        self.seeds = iter(seeds)
        try:
            yield
        finally:
            self.seeds = None

    def call(self, x, training=None):
        return dropout(x, *self.dropping()) if training and self.rate else x

    def dropping(self):
        """What the functions of fused_ops.py drop by: (a new seed, uint32 [2], `dropped`, `scale`); no seed at rate 0.

        Each replica under `tf.distribute` draws its own.
        """
        if not self.rate:
            return None, 0, 1.0
        seed = next(self.seeds) if self.seeds else self.seed_generator.next()
        return ops.cast(of_replica(seed), "uint32"), self.dropped, self.scale
