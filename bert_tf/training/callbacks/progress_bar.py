"""Shows a run of `fit` as one bar with what it learns and how fast."""

import contextlib
import time

import keras

from bert_tf.core import progress

SHORT = {"masked_lm_logits_": "masked LM ", "next_sentence_logits_": "NSP "}


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
        if self.done % 10 == 0:
            seconds = time.monotonic() - self._start
            speed = f"{self.tokens * self.done / seconds:,.0f} tokens/s" if self.tokens else ""
            self._update("training", self.done, self.steps, "  ".join([*_figures(logs), speed]))

    def close(self):
        """Takes the bar away, also after an error in `fit`, when Keras ends no training."""
        self._shown.close()

    def on_train_end(self, logs=None):
        self.close()


def _figures(logs):
    figures = []
    for name, value in logs.items():
        for long, short in SHORT.items():
            name = name.replace(long, short)
        if name == "loss" or name.endswith("accuracy"):
            figures.append(f"{name} {value:.3f}")
    return figures
