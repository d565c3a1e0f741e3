"""What happens between the steps of a run: it is guarded, evaluated, saved and stopped."""

import math
import time

import keras
import numpy as np
from keras import tree

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.training.distribution.strategies import worker

_PATIENCE = 5  # seconds


class Guard(keras.callbacks.Callback):
    """Counts the steps, and ends a run whose loss is not finite or has blown up; its snapshots are from before.

    It has blown up when its mean over some 20 steps is more than `blow_up` times the lowest such mean, and 1.
    """

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.total = self.smooth = self.lowest = None

    def on_epoch_begin(self, epoch, logs=None):
        self.run.averaged = 0

    def on_train_batch_end(self, batch, logs=None):
        self.run.step += 1
        loss = self._loss_of_step(float(logs["loss"]))
        if not math.isfinite(loss):
            self._fail(f"the loss is {loss}")
        self.smooth = loss if self.smooth is None else 0.95 * self.smooth + 0.05 * loss
        self.lowest = min(self.smooth, self.lowest or self.smooth)
        if self.smooth > self.run.config.blow_up * self.lowest + 1:
            self._fail(f"the loss went up to {self.smooth:.3g} from {self.lowest:.3g}")

    def _loss_of_step(self, mean):
        """The loss of this step alone, of which Keras tells the mean since its metrics were reset."""
        before = self.total if self.run.averaged else 0.0
        self.run.averaged += 1
        self.total = mean * self.run.averaged
        return self.total - before

    def _fail(self, reason):
        path = self.run.folder / f"bad_batch_{self.run.step}.npz"
        phase, position = self.run.place(self.run.step - 1)
        number, workers = worker()
        replicas = self.run.model.distribute_strategy.num_replicas_in_sync
        batch = phase.read(self.run.rows(phase), start=position, shard=(number * replicas // workers, replicas))
        if number == 0:
            _write_batch(next(iter(batch)), path)
        raise InputError(
            f"Step {self.run.step}: {reason}. Its batch is in {path}, and the snapshots are from before it. "
            "Try a lower training.learning_rate or more training.warmup."
        )


class Evaluate(keras.callbacks.Callback):
    """Scores the model on held-out data every `evaluate_every` steps, and after the last."""

    def __init__(self, run, watch):
        super().__init__()
        self.run, self.watch = run, watch

    def on_train_batch_end(self, batch, logs=None):
        run = self.run
        phase, _ = run.place(run.step - 1)
        if phase.evaluate and (run.step % run.config.evaluate_every == 0 or run.step == run.steps):
            self.watch.log(logs)
            run.scores = {"step": run.step} | phase.evaluate(run.model)
            run.history.append(run.better(run.scores))
            self.watch.log_scores(run.scores)
            run.reset_metrics()
            run.model.stop_training = run.over


class Save(keras.callbacks.Callback):
    """Writes snapshots, and ends the run after one when a signal came."""

    def __init__(self, run):
        super().__init__()
        self.run = run
        self.asked = None

    def on_train_batch_end(self, batch, logs=None):
        run = self.run
        if run.received and worker()[0]:
            self._leave_to_chief()
        due = run.step % run.config.checkpoint_every == 0 or run.step == run.steps
        if due or run.scores.get("step") == run.step or run.received:
            run.save()
        if run.received and worker()[0] == 0:
            run.snapshots.wait()
            raise InputError(
                f"Stopped by {run.received[0]} after step {run.step} of {run.steps}, which is saved. "
                "The same command goes on from there."
            )

    def _leave_to_chief(self):
        """The chief, which gets the same signal, saves; if it does not end the run soon, this worker leaves it."""
        self.asked = self.asked or time.monotonic()
        if time.monotonic() - self.asked > _PATIENCE:
            raise InputError(f"Stopped by {self.run.received[0]} after step {self.run.step}.")


def _write_batch(batch, path):
    arrays = {"/".join(map(str, keys)): np.asarray(value) for keys, value in tree.flatten_with_path(batch)}
    with files.atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
