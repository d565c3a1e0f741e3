"""All that a run needs to go on from a step, on disk: written beside training, checked when it is read."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil

import numpy as np
from absl import logging
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from bert_tf.core import files
from bert_tf.core.errors import InputError

_ARRAYS, _ABOUT = "state.safetensors", "about.json"


class Snapshots:
    """The snapshots of a run in `folder`, one folder a step.

    Args:
        keep: how many of the newest stay; the best one stays beside them.
        writes: whether this worker writes and removes; the others only read.
    """

    def __init__(self, folder, keep=3, writes=True):
        self.folder, self.keep, self.writes = pathlib.Path(folder), keep, writes
        self._writer = concurrent.futures.ThreadPoolExecutor(1)
        self._pending = None
        if writes:
            for unfinished in self.folder.glob(".step-*.tmp"):
                shutil.rmtree(unfinished)

    def save(self, step, variables, about):
        """Copies the values of `variables`, by name, and writes them with `about` (JSON) beside what goes on.

        A failure to write (a full disk) is raised by the next `save` or `wait`.
        """
        self.wait()
        if self.writes and step not in self.steps():
            arrays = {name: np.array(variable.numpy()) for name, variable in variables.items()}
            self._pending = self._writer.submit(self._write, step, arrays, about)

    def wait(self):
        """Returns when nothing is left to write."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def steps(self):
        """The steps of which there is a snapshot, rising."""
        found = (re.fullmatch(r"step-(\d+)", path.name) for path in self.folder.glob("step-*"))
        return sorted(int(match[1]) for match in found if match)

    def newest(self):
        """The newest step whose snapshot is whole, 0 if there is none; damaged ones are set aside and said."""
        for step in reversed(self.steps()):
            reason = self._damage(step)
            if not reason:
                return step
            logging.warning("%s is damaged (%s): set aside; going on from the one before.", self._path(step), reason)
            if self.writes:
                _move_aside(self._path(step))
        return 0

    def best(self):
        """The step with the greatest `score`, None where no snapshot has one."""
        scores = {step: self.about(step).get("score") for step in self.steps()}
        scores = {step: score for step, score in scores.items() if score is not None}
        return max(scores, key=scores.get, default=None)

    def about(self, step):
        """What `save` was told about the step, {} where it cannot be read."""
        try:
            return json.loads((self._path(step) / _ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def restore(self, step, variables):
        """Gives `variables`, by name, the values of the step; `KeyError` if it is another model's."""
        arrays = safetensors.load_file(self._path(step) / _ARRAYS)
        for name, variable in variables.items():
            variable.assign(arrays[name].reshape(variable.shape))

    def _path(self, step):
        return self.folder / f"step-{step:08d}"

    def _write(self, step, arrays, about):
        with files.atomic_folder(self._path(step)) as temporary:
            try:
                safetensors.save_file(arrays, temporary / _ARRAYS)
            except SafetensorError as error:  # of a full disk, say
                raise InputError(f"The snapshot of step {step} cannot be written: {error}") from None
            about = about | {"step": step, "sha256": _digest(temporary / _ARRAYS)}
            (temporary / _ABOUT).write_text(json.dumps(about, indent=2), encoding="utf-8")
            for file in temporary.iterdir():
                _flush(file)
        for old in set(self.steps()[: -self.keep]) - {self.best()}:
            shutil.rmtree(self._path(old))

    def _damage(self, step):
        """Why a snapshot cannot be used, "" if it can."""
        try:
            if self.about(step).get("sha256") != _digest(self._path(step) / _ARRAYS):
                return "it is not what was written"
        except (OSError, SafetensorError) as error:
            return str(error)
        return ""


def named_variables(model):
    """Every variable on which the rest of a training run depends, by a name that the next process finds again.

    They are numbered: the paths of some hold numbers that Keras goes on counting in a process.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)
    parts = {"model": model.variables, "optimizer": optimizer.variables}
    return {f"{part}/{i:04d}": v for part, variables in parts.items() for i, v in enumerate(variables)}


def _digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(file):
    """Returns when the file is on the disk, so that a power cut finds it whole."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _move_aside(path):
    target = path.with_name(f"damaged-{path.name}")
    shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
