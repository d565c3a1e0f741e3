"""Callbacks between the steps of a run: divergence check, evaluation, checkpoints and stopping."""

import math
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import tree

from bert_tf.core import files
from bert_tf.core.errors import InputError
from bert_tf.training.distribution.strategies import is_chief, worker

if TYPE_CHECKING:
    from bert_tf.training.callbacks.metrics_logger import MetricsLogger
    from bert_tf.training.trainer import Trainer

_PATIENCE = 5  # seconds that a worker waits for the chief to end the run


class TerminateOnDivergence(keras.callbacks.Callback):
    """Ends a run with `InputError` when its loss is not finite or has diverged, before the step is saved.

    The loss has diverged when its exponential mean over about 20 steps exceeds `blow_up` times the lowest such mean,
    plus 1.
    """

    def __init__(self, trainer: "Trainer"):
        super().__init__()
        self.trainer = trainer
        self.total = 0.0
        self.smooth: float | None = None
        self.lowest: float | None = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        loss = self._loss_of_step(float(logs["loss"]))
        if not math.isfinite(loss):
            self._fail(f"the loss is {loss}")
        if self.smooth is None:
            self.smooth = loss
        else:
            self.smooth = 0.95 * self.smooth + 0.05 * loss
        self.lowest = min(self.smooth, self.lowest or self.smooth)
        if self.smooth > self.trainer.config.blow_up * self.lowest + 1:
            self._fail(f"the loss went up to {self.smooth:.3g} from {self.lowest:.3g}")

    def _loss_of_step(self, mean: float) -> float:
        """The loss of this step alone, from Keras's running mean since the metrics were reset."""
        before = self.total if self.trainer.averaged > 1 else 0.0
        self.total = mean * self.trainer.averaged
        return self.total - before

    def _fail(self, reason: str) -> None:
        trainer = self.trainer
        path = trainer.folder / f"bad_batch_{trainer.step}.npz"
        # The batch of this step is read again, from the same position and shard.
        phase, position = trainer.place(trainer.step - 1)
        number, workers = worker()
        replicas = trainer.model.distribute_strategy.num_replicas_in_sync
        shard = (number * replicas // workers, replicas)
        batches = phase.source.batches(trainer.rows(phase.source), position, shard)
        if is_chief():
            _write_batch(next(iter(batches)), path)
        raise InputError(
            f"Step {trainer.step}: {reason}. Its batch is in {path}; the checkpoints are from earlier steps. "
            "Try a lower training.learning_rate or more training.warmup."
        )


class EvaluateCallback(keras.callbacks.Callback):
    """Evaluates the model on held-out data every `evaluate_every` steps, and after the last."""

    def __init__(self, trainer: "Trainer", logger: "MetricsLogger"):
        super().__init__()
        self.trainer, self.logger = trainer, logger

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        trainer = self.trainer
        phase, _ = trainer.place(trainer.step - 1)
        due = trainer.step % trainer.config.evaluate_every == 0 or trainer.step == trainer.steps
        if phase.validation and due:
            self.logger.log(logs)
            self.logger.show_evaluations()
            with trainer.with_averages():
                scores = trainer.evaluate(phase.validation)
                self.logger.show_evaluations()
                self.logger.log_scores(phase.validation.losses(trainer.model) | scores)
            trainer.reset_metrics()  # Keras's `evaluate` uses the same metrics
            trainer.model.stop_training = trainer.done


class CheckpointCallback(keras.callbacks.Callback):
    """Writes checkpoints every `checkpoint_every` steps, and ends the run with one after a signal."""

    def __init__(self, trainer: "Trainer"):
        super().__init__()
        self.trainer = trainer
        self.signalled_at: float | None = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        trainer = self.trainer
        if trainer.signals and not is_chief():
            self._leave_to_chief()
        due = trainer.step % trainer.config.checkpoint_every == 0 or trainer.step == trainer.steps
        if due or trainer.scores.get("step") == trainer.step or trainer.signals:
            trainer.save()
        if trainer.signals and is_chief():
            trainer.checkpoints.wait()
            raise InputError(
                f"Stopped by {trainer.signals[0]} after step {trainer.step} of {trainer.steps}, which is saved. "
                "The same command resumes from there."
            )

    def _leave_to_chief(self) -> None:
        """Raises `InputError` if the chief, which gets the same signal, does not end the run within `_PATIENCE`.

        A worker that left first would make the chief's next step fail before the chief has saved.
        """
        self.signalled_at = self.signalled_at or time.monotonic()
        if time.monotonic() - self.signalled_at > _PATIENCE:
            raise InputError(f"Stopped by {self.trainer.signals[0]} after step {self.trainer.step}.")


def _write_batch(batch: Any, path: Any) -> None:
    """Writes the arrays of a nested batch as .npz, named by their path such as "0/input_ids"."""
    arrays = {"/".join(map(str, keys)): np.asarray(value) for keys, value in tree.flatten_with_path(batch)}
    with files.atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
