"""Shows a run of `fit` as one bar with what it learns and how fast."""

import contextlib
import time

import keras

from bert_tf.core import progress


class ProgressBar(keras.callbacks.Callback):
    """A bar over all steps of all epochs; `tokens` is the number of real tokens in a step, 0 where unknown."""

    def __init__(self, steps, tokens=0):
        super().__init__()
        self.steps, self.tokens, self.done = steps, tokens, 0
        self._shown = contextlib.ExitStack()

    def on_train_begin(self, logs=None):
        self._update = self._shown.enter_context(progress.stages())
        self._start = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        figures = None
        if self.done % 10 == 0:
            figures = {name.replace("_logits_", "_"): float(value) for name, value in logs.items()}
            if self.tokens:
                figures["tokens_per_second"] = self.tokens * self.done / (time.monotonic() - self._start)
        self._update("training", self.done, self.steps, figures=figures)

    def close(self):
        """Takes the bar away, also after an error in `fit`, when Keras ends no training."""
        self._shown.close()

    def on_train_end(self, logs=None):
        self.close()
