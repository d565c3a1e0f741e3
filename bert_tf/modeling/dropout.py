"""Dropout from 8 random bits an element: drawing 32 took longer than all else that it does."""

import contextlib

import keras
from keras import ops

from bert_tf.modeling.distributed import of_replica
from bert_tf.modeling.gradients import wide


class Seed(keras.random.SeedGenerator):
    """One seed as the generator that Keras's functions ask for."""

    def __init__(self, seed):  # without the variable of its base
        self.seed = seed

    def next(self, ordered=True):
        return self.seed


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
        """Seeds for the next `times` calls of `keep`, to be given to `drawn`."""
        return [self.seed_generator.next() for _ in range(times)] if self.rate else []

    @contextlib.contextmanager
    def drawn(self, seeds):
        """Inside, `keep` takes these seeds one after the other: so it gives the same bits each time."""
        self.seeds = iter(seeds)
        try:
            yield
        finally:
            self.seeds = None

    def call(self, x, training=None):
        if not training or not self.rate:
            return x
        return ops.cast(wide(x * self.keep(x)) * self.scale, self.compute_dtype)

    def keep(self, x):
        """A new 1 or 0 for each element of `x`, in the compute dtype; a scalar 1 at rate 0.

        Each replica under `tf.distribute` draws its own.
        """
        if not self.rate:
            return ops.ones((), self.compute_dtype)
        seed = Seed(of_replica(next(self.seeds) if self.seeds else self.seed_generator.next()))
        shape = ops.shape(x)
        size = 1
        for dimension in shape:
            size = size * dimension
        words = keras.random.randint(((size + 3) // 4, 1), -(2**31), 2**31 - 1, "int32", seed=seed)
        bits = ops.reshape(ops.reshape(ops.view(words, "uint8"), (-1,))[:size], shape)
        return ops.cast(bits >= ops.cast(self.dropped, "uint8"), self.compute_dtype)
