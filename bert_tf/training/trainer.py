"""A training run: from its newest snapshot through its phases to the last step, with Keras's `fit`."""

import dataclasses
import functools
import os
import pathlib
import re
import sys
import typing

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core.errors import InputError
from bert_tf.training import signals
from bert_tf.training.callbacks.metrics_logger import Watch
from bert_tf.training.callbacks.run_callbacks import Evaluate, Guard, Save
from bert_tf.training.checkpoint_manager import Snapshots, named_variables
from bert_tf.training.distribution.phases import distribute, rows_a_replica
from bert_tf.training.distribution.strategies import agree, worker

_OF_LOST_WORKERS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.FailedPreconditionError,
)


class WorkerLost(InputError):
    """Another worker of the run is gone; the run goes on from its newest snapshot when all are there again."""


@dataclasses.dataclass
class Run:
    """Where a run stands; its callbacks share it.

    Attributes:
        step: updates done.
        averaged: steps in the running means of the model's metrics.
        scores: the newest figures on held-out data, and the step they are of as "step".
        history: what `better` said of them, each time.
    """

    model: object
    phases: list
    config: object
    folder: pathlib.Path
    snapshots: Snapshots
    better: typing.Callable
    received: list = dataclasses.field(default_factory=list)
    step: int = 0
    averaged: int = 0
    scores: dict = dataclasses.field(default_factory=dict)
    history: list = dataclasses.field(default_factory=list)

    @property
    def steps(self):
        return sum(phase.steps for phase in self.phases)

    @property
    def over(self):
        """Whether the last step is done, or `early_stopping` evaluations have brought nothing better."""
        if self.step >= self.steps:
            return True
        patience = self.config.early_stopping
        return bool(patience and self.history and len(self.history) - np.argmax(self.history) > patience)

    def place(self, step):
        """The phase of the step after `step` steps, and how many steps of the phase are done by then."""
        for phase in self.phases[:-1]:
            if step < phase.steps:
                return phase, step
            step -= phase.steps
        return self.phases[-1], step

    def rows(self, phase):
        return rows_a_replica(self.model.distribute_strategy, phase.batch_size, self.config.accumulation_steps)

    def reset_metrics(self):
        self.model.reset_metrics()
        self.averaged = 0

    def save(self):
        """Begins to write a snapshot of this step."""
        score = self.better(self.scores) if self.scores.get("step") == self.step else None
        about = {"scores": self.scores, "score": score, "history": self.history}
        self.snapshots.save(self.step, named_variables(self.model), about)


def train(model, phases, config, folder, better=lambda scores: -scores["loss"], callbacks=()):
    """Trains a compiled model to the end of its last phase, from where an earlier call in `folder` was stopped.

    Writes snapshots to `folder`/checkpoints, figures to `folder`/metrics.jsonl and TensorBoard's to `folder`/logs.

    Args:
        model: compiled under the strategy that it is to be trained with.
        phases: list of `Phase`.
        config: `TrainingConfig`.
        better: from the figures on held-out data, the number of which the best snapshot has most.
        callbacks: functions of the `Run` that make further callbacks for `fit`.

    Returns:
        The finished `Run`. `InputError` says why a run cannot go on.
    """
    folder = pathlib.Path(folder)
    snapshots = Snapshots(folder / "checkpoints", config.keep_checkpoints, writes=worker()[0] == 0)
    run = Run(model, phases, config, folder, snapshots, better)
    _resume(run)
    try:
        with signals.received() as run.received, Watch(run) as watch:
            _fit(run, watch, [make(run) for make in callbacks])
    except tf.errors.OpError as error:
        if found := re.search(r"InputError: (.*)", str(error)):  # from reading records
            raise InputError(found[1]) from None
        if worker()[1] == 1 or not isinstance(error, _OF_LOST_WORKERS):
            raise
        raise WorkerLost(f"A worker is gone after step {run.step}: {str(error).splitlines()[0][:200]}") from error
    finally:
        snapshots.wait()
    return run


def or_again(train, config):
    """`train(config)`; where a worker is lost, the program begins anew instead, and waits for that worker."""
    try:
        return train(config)
    except WorkerLost as error:
        print(f"{error} Waiting for it to come back.", file=sys.stderr)
        os.execv(sys.executable, sys.orig_argv)


def _fit(run, watch, more):
    """The phases that are left."""
    callbacks = [Guard(run), watch, Evaluate(run, watch), Save(run), *more]
    strategy = run.model.distribute_strategy
    while not run.over:
        phase, done = run.place(run.step)
        watch.begin(phase)
        run.model.make_train_function(force=True)  # or the graph of one phase would be bent to the shapes of the next
        data = distribute(strategy, functools.partial(phase.read, start=done), run.rows(phase))
        run.model.fit(data, steps_per_epoch=phase.steps - done, shuffle=False, verbose=0, callbacks=callbacks)


def _resume(run):
    """Brings a run to the newest whole snapshot that its chief sees, if there is one."""
    number, workers = worker()
    newest = run.snapshots.newest() if number == 0 else 0
    run.step = round(agree(run.model.distribute_strategy, newest) * workers)
    if run.step:
        run.snapshots.restore(run.step, named_variables(run.model))
        about = run.snapshots.about(run.step)
        run.scores, run.history = about["scores"], about.get("history", [])
        logging.warning("Going on from step %d of %d.", run.step, run.steps)
