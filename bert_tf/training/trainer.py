"""A training run by Keras's `fit` that resumes from its newest checkpoint."""

import contextlib
import os
import pathlib
import re
import sys
import typing
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core.errors import InputError
from bert_tf.training import signals
from bert_tf.training.callbacks.metrics_logger import MetricsLogger
from bert_tf.training.callbacks.run_callbacks import CheckpointCallback, EvaluateCallback, TerminateOnDivergence
from bert_tf.training.checkpoint_manager import CheckpointManager, named_variables
from bert_tf.training.config import TrainingConfig
from bert_tf.training.data_source import DataSource, Validation
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.distribution.strategies import agree, is_chief, worker
from bert_tf.training.optimizers.layerwise import layerwise_of

CHECKPOINTS = "checkpoints"  # subfolder of a run
# Raised by a collective operation when another worker ends, depending on the moment.
_ERRORS_OF_LOST_WORKERS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.FailedPreconditionError,
)


class WorkerLost(InputError):
    """Another worker of the run has ended; the run resumes from its newest checkpoint when all are back."""


class Phase(typing.NamedTuple):
    """Steps of a run on one data source."""

    source: DataSource
    validation: Validation | None
    steps: int


class Trainer:
    """Trains a compiled model on one data source or several in turn, and resumes where an earlier run stopped.

    Writes checkpoints to `folder`/checkpoints, and metrics to `folder`/metrics.jsonl and, for TensorBoard, to
    `folder`/logs.

    Args:
        model: compiled under the strategy that it is trained with.
        train: one `DataSource` or several; each gets its share of the steps.
        validation: the `Validation` of each of them, None without one.
        config: a resolved `TrainingConfig`, with a number of steps.
        folder: of the run.

    Attributes:
        step: updates done.
        steps: updates of the whole run.
        averaged: steps in the running means of the model's metrics.
        scores: the newest metrics on held-out data, and the step they were measured at as "step".
        history: the score of each evaluation so far.
        callbacks: further Keras callbacks for `fit`.
    """

    def __init__(
        self,
        model: keras.Model,
        train: DataSource | Sequence[DataSource],
        validation: Validation | None | Sequence[Validation | None],
        config: TrainingConfig,
        folder: str | pathlib.Path,
    ):
        self.model, self.config, self.folder = model, config, pathlib.Path(folder)
        sources = [train] if isinstance(train, DataSource) else list(train)
        validations = list(validation) if isinstance(validation, Sequence) else [validation]
        self.phases: list[Phase] = []
        self.steps, share = 0, 0.0
        for source, held_out in zip(sources, validations, strict=True):
            share += source.share
            # The end is rounded and not the length, so that the phases add up to all steps.
            end = round(config.steps * share)
            self.phases.append(Phase(source, held_out, end - self.steps))
            self.steps = end
        self.checkpoints = CheckpointManager(self.folder / CHECKPOINTS, config.keep_checkpoints, writes=is_chief())
        self.callbacks: list[keras.callbacks.Callback] = []
        self.signals: list[str] = []
        self.step = self.averaged = 0
        self.scores: dict[str, float] = {}
        self.history: list[float] = []

    def train(self) -> dict[str, float]:
        """Trains to the last step; returns the last metrics on held-out data.

        Afterwards the model has the average of its weights, if the optimizer has one.

        Raises:
            InputError: why the run cannot continue: a signal, a diverging loss, damaged records.
            WorkerLost: another worker has ended.
        """
        self._resume()
        try:
            with signals.received() as self.signals, MetricsLogger(self) as logger:
                self._fit(logger)
        except tf.errors.OpError as error:
            # An InputError in the data pipeline arrives as text inside of a TensorFlow error.
            if found := re.search(r"InputError: (.*)", str(error)):
                raise InputError(found[1]) from None
            if worker()[1] == 1 or not isinstance(error, _ERRORS_OF_LOST_WORKERS):
                raise
            reason = str(error).splitlines()[0][:200]
            raise WorkerLost(f"Lost another worker after step {self.step}: {reason}") from error
        finally:
            self.checkpoints.wait()
        self._exchange_averages()
        return self.scores

    def restore_best(self) -> dict[str, float]:
        """Restores the model of the best evaluation; returns its metrics and its "step"."""
        step = self._of_chief(self.checkpoints.best_intact)
        if not step:
            raise InputError(
                f"{self.checkpoints.folder} has no intact checkpoint with a score. Set output to a new folder."
            )
        self.checkpoints.restore(step, named_variables(self.model))
        self._exchange_averages()
        return self.checkpoints.metadata(step)["scores"]

    @property
    def done(self) -> bool:
        """Whether the last step is done, or the last `early_stopping` evaluations brought no better score."""
        if self.step >= self.steps:
            return True
        patience = self.config.early_stopping
        return bool(patience and self.history and len(self.history) - np.argmax(self.history) > patience)

    def place(self, step: int) -> tuple[Phase, int]:
        """The phase of the next step after `step` steps, and how many steps of that phase are done by then."""
        for phase in self.phases[:-1]:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        return self.phases[-1], step

    def rows(self, source: DataSource) -> int:
        """Rows of a batch that each replica gets."""
        return rows_per_replica(self.model.distribute_strategy, source.batch_size, self.config.accumulation_steps)

    def evaluate(self, validation: Validation) -> dict[str, float]:
        """Evaluates the model now, and records the result in `scores` and `history`."""
        self.scores = {"step": self.step} | validation.evaluate(self.model)
        self.history.append(validation.score(self.scores))
        return self.scores

    @contextlib.contextmanager
    def with_averages(self) -> Iterator[None]:
        """A context in which the model has the averages of its weights, if the optimizer keeps them."""
        self._exchange_averages()
        yield
        self._exchange_averages()

    def _exchange_averages(self) -> None:
        if optimizer := layerwise_of(self.model.optimizer):
            optimizer.exchange_averages()

    def reset_metrics(self) -> None:
        """Resets the running means of the model's metrics."""
        self.model.reset_metrics()
        self.averaged = 0

    def save(self) -> None:
        """Starts writing a checkpoint of this step in the background."""
        score = None  # of this step's weights; earlier scores belong to other weights
        if self.scores.get("step") == self.step:
            score = self.history[-1]
        metadata = {"scores": self.scores, "score": score, "history": self.history}
        self.checkpoints.save(self.step, named_variables(self.model), metadata)

    def _fit(self, logger: MetricsLogger) -> None:
        counter = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin_means, on_train_batch_end=self._count_step)
        # In this order: a diverged step is neither evaluated nor saved, and a checkpoint has the step's score.
        callbacks = [counter, TerminateOnDivergence(self), logger, EvaluateCallback(self, logger)]
        callbacks += [CheckpointCallback(self), *self.callbacks]
        strategy = self.model.distribute_strategy
        while not self.done:
            phase, position = self.place(self.step)
            logger.begin(phase.source)
            # Traced again for each phase: otherwise TensorFlow would relax the graph to shapes that fit both.
            self.model.make_train_function(force=True)
            data = distribute(strategy, phase.source, self.rows(phase.source), position)
            steps = phase.steps - position
            self.model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=callbacks)

    def _begin_means(self, epoch: int, logs: dict | None = None) -> None:
        self.averaged = 0

    def _count_step(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        self.averaged += 1

    def _resume(self) -> None:
        """Restores the newest intact checkpoint that the chief sees, if there is one."""
        self.step = self._of_chief(self.checkpoints.newest)
        if self.step:
            self.checkpoints.restore(self.step, named_variables(self.model))
            metadata = self.checkpoints.metadata(self.step)
            self.scores, self.history = metadata["scores"], metadata.get("history", [])
            logging.warning("Resuming from step %d of %d.", self.step, self.steps)

    def _of_chief(self, find_step: Callable[[], int]) -> int:
        """The step that `find_step` gives the chief, on all workers, which wait for it."""
        _, workers = worker()
        step = find_step() if is_chief() else 0
        # The mean of the chief's step and zeros, times the workers, is the chief's step.
        return round(agree(self.model.distribute_strategy, step) * workers)


@contextlib.contextmanager
def restarting_on_lost_worker() -> Iterator[None]:
    """A context that restarts the program when another worker is lost; it then waits for that worker."""
    try:
        yield
    except WorkerLost as error:
        print(f"{error} Restarting, to wait until it is back.", file=sys.stderr)
        os.execv(sys.executable, sys.orig_argv)
