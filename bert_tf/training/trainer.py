"""A training run: from its newest checkpoint through all its data to the last step, by Keras's `fit`."""

import contextlib
import itertools
import os
import pathlib
import re
import sys
import typing
from collections.abc import Iterator, Sequence

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

_ERRORS_OF_LOST_WORKERS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.FailedPreconditionError,
)


class WorkerLost(InputError):
    """Another worker of the run has gone; the run resumes from its newest checkpoint when all are back."""


class Phase(typing.NamedTuple):
    """Steps of a run on one data source."""

    source: DataSource
    validation: Validation | None
    steps: int


class Trainer:
    """Trains a compiled model on one data source or several in turn, and resumes where an earlier run stopped.

    Writes checkpoints to `folder`/checkpoints, metrics to `folder`/metrics.jsonl and for TensorBoard to `folder`/logs.

    Args:
        model: compiled under the strategy that it is trained with.
        train: a `DataSource`, or several; each gets its share of the steps.
        validation: the `Validation` of each of them; None: there is none.
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
        ends = [round(config.steps * share) for share in itertools.accumulate(source.share for source in sources)]
        lengths = [end - begin for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        self.phases = [Phase(*parts) for parts in zip(sources, validations, lengths, strict=True)]
        self.steps = ends[-1]
        self.checkpoints = CheckpointManager(self.folder / "checkpoints", config.keep_checkpoints, writes=is_chief())
        self.callbacks: list[keras.callbacks.Callback] = []
        self.signals: list[str] = []
        self.step = self.averaged = 0
        self.scores: dict[str, float] = {}
        self.history: list[float] = []

    def train(self) -> dict[str, float]:
        """Trains to the last step; returns the last metrics on held-out data.

        Raises:
            InputError: why the run cannot continue: a signal, a diverging loss, damaged records.
            WorkerLost: another worker has gone.
        """
        self._resume()
        try:
            with signals.received() as self.signals, MetricsLogger(self) as logger:
                self._fit(logger)
        except tf.errors.OpError as error:
            if found := re.search(r"InputError: (.*)", str(error)):  # raised while reading records
                raise InputError(found[1]) from None
            if worker()[1] == 1 or not isinstance(error, _ERRORS_OF_LOST_WORKERS):
                raise
            raise WorkerLost(f"A worker is gone after step {self.step}: {str(error).splitlines()[0][:200]}") from error
        finally:
            self.checkpoints.wait()
        return self.scores

    def restore_best(self) -> dict[str, float]:
        """Restores the model of the best evaluation; returns its metrics and its "step"."""
        agree(self.model.distribute_strategy, 0.0)  # the chief has written all checkpoints when all workers are here
        step = self.checkpoints.best()
        self.checkpoints.restore(step, named_variables(self.model))
        return self.checkpoints.metadata(step)["scores"]

    @property
    def done(self) -> bool:
        """Whether the last step is done, or the last `early_stopping` evaluations brought no better score."""
        if self.step >= self.steps:
            return True
        patience = self.config.early_stopping
        return bool(patience and self.history and len(self.history) - np.argmax(self.history) > patience)

    def place(self, step: int) -> tuple[Phase, int]:
        """The phase of the step after `step` steps, and how many steps of that phase are done by then."""
        for phase in self.phases[:-1]:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        return self.phases[-1], step

    def rows(self, source: DataSource) -> int:
        """Rows of a batch that each replica gets."""
        return rows_per_replica(self.model.distribute_strategy, source.batch_size, self.config.accumulation_steps)

    def evaluate(self, validation: Validation) -> dict[str, float]:
        """Evaluates the model now, and notes the result."""
        self.scores = {"step": self.step} | validation.evaluate(self.model)
        self.history.append(validation.score(self.scores))
        return self.scores

    def reset_metrics(self) -> None:
        """Starts the running means of the model's metrics from nothing."""
        self.model.reset_metrics()
        self.averaged = 0

    def save(self) -> None:
        """Starts to write a checkpoint of this step."""
        score = self.history[-1] if self.scores.get("step") == self.step else None
        metadata = {"scores": self.scores, "score": score, "history": self.history}
        self.checkpoints.save(self.step, named_variables(self.model), metadata)

    def _fit(self, logger: MetricsLogger) -> None:
        counter = keras.callbacks.LambdaCallback(on_epoch_begin=self._begin_means, on_train_batch_end=self._count_step)
        callbacks = [counter, TerminateOnDivergence(self), logger, EvaluateCallback(self, logger)]
        callbacks += [CheckpointCallback(self), *self.callbacks]
        strategy = self.model.distribute_strategy
        while not self.done:
            phase, position = self.place(self.step)
            logger.begin(phase.source)
            # A graph traced for one phase would be relaxed to fit the shapes of the next.
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
        _, workers = worker()
        newest = self.checkpoints.newest() if is_chief() else 0
        self.step = round(agree(self.model.distribute_strategy, newest) * workers)
        if self.step:
            self.checkpoints.restore(self.step, named_variables(self.model))
            metadata = self.checkpoints.metadata(self.step)
            self.scores, self.history = metadata["scores"], metadata.get("history", [])
            logging.warning("Resuming from step %d of %d.", self.step, self.steps)


@contextlib.contextmanager
def restarting_on_lost_worker() -> Iterator[None]:
    """A context in which a lost worker restarts the program, which then waits for that worker."""
    try:
        yield
    except WorkerLost as error:
        print(f"{error} Waiting for it to come back.", file=sys.stderr)
        os.execv(sys.executable, sys.orig_argv)
