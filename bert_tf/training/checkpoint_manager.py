"""Checkpoints: the state that a run needs to resume from a step, written in the background, verified when read."""

import concurrent.futures
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import keras
import numpy as np
from absl import logging
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from bert_tf.core import files
from bert_tf.core.errors import InputError

_ARRAYS, _METADATA = "state.safetensors", "about.json"


class CheckpointManager:
    """The checkpoints of a run in `folder`, one subfolder per step.

    Args:
        folder: of the checkpoints; it need not exist.
        keep: how many of the newest are kept, in addition to the best.
        writes: whether this worker writes and removes checkpoints; the others only read.
    """

    def __init__(self, folder: str | pathlib.Path, keep: int = 3, writes: bool = True):
        self.folder, self.keep, self.writes = pathlib.Path(folder), keep, writes
        self._writer = concurrent.futures.ThreadPoolExecutor(1)
        self._pending: concurrent.futures.Future | None = None
        if writes:
            files.remove_leftovers(self.folder)

    def save(self, step: int, variables: Mapping[str, Any], metadata: dict) -> None:
        """Copies the values of `variables` (by name) and writes them with `metadata` (JSON) in the background.

        A failure to write, a full disk for example, is raised by the next `save` or `wait`.
        """
        self.wait()
        if self.writes and step not in self.steps():
            # Copied now: training continues while they are written.
            arrays = {name: np.array(variable.numpy()) for name, variable in variables.items()}
            self._pending = self._writer.submit(self._write, step, arrays, metadata)

    def wait(self) -> None:
        """Returns when everything is written."""
        pending, self._pending = self._pending, None
        if pending:
            pending.result()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        found = []
        for path in self.folder.glob("step-*"):
            match = re.fullmatch(r"step-(\d+)", path.name)
            if match:  # not the temporary folder of a write
                found.append(int(match[1]))
        return sorted(found)

    def newest(self) -> int:
        """The newest step whose checkpoint is intact, 0 if there is none; damaged ones are renamed, with a warning."""
        return self._first_intact(self.steps()[::-1])

    def best(self) -> int | None:
        """The step with the greatest `score` in its metadata, None where no checkpoint has one."""
        return next(iter(self._by_score()), None)

    def best_intact(self) -> int:
        """The step of the best checkpoint that is intact, 0 if there is none; damaged ones as in `newest`."""
        return self._first_intact(self._by_score())

    def _by_score(self) -> list[int]:
        """The steps whose metadata has a `score`, the greatest first; of equal ones the earliest."""
        scores = {}
        for step in self.steps():
            score = self.metadata(step).get("score")
            if score is not None:
                scores[step] = score
        return sorted(scores, key=scores.__getitem__, reverse=True)

    def _first_intact(self, steps: Iterable[int]) -> int:
        for step in steps:
            reason = self._damage(step)
            if not reason:
                return step
            logging.warning("%s is damaged (%s): set aside; an earlier one is used.", self._path(step), reason)
            if self.writes:
                _move_aside(self._path(step))
        return 0

    def metadata(self, step: int) -> dict:
        """The metadata that was passed to `save` for a step, {} where it cannot be read or is damaged."""
        try:
            metadata = files.read_json(self._path(step) / _METADATA)
        except InputError:
            return {}
        return metadata if _is_metadata(metadata, step) else {}

    def restore(self, step: int, variables: Mapping[str, Any]) -> None:
        """Assigns the values of a step to `variables` (by name).

        Raises:
            InputError: a variable is missing in the checkpoint or has another size there; nothing is assigned.
        """
        arrays = safetensors.load_file(self._path(step) / _ARRAYS)
        # Compared before the first assignment, so that a refused checkpoint leaves no mixture of two models.
        for name, variable in variables.items():
            if name not in arrays:
                self._refuse(step, f"{variable.path} is missing")
            if arrays[name].size != math.prod(variable.shape):
                saved, wanted = list(arrays[name].shape), list(variable.shape)
                self._refuse(step, f"{variable.path} has shape {saved} there and {wanted} here")
        for name, variable in variables.items():
            variable.assign(arrays[name].reshape(variable.shape))

    def _refuse(self, step: int, reason: str) -> NoReturn:
        raise InputError(
            f"{self._path(step)} does not fit this model: {reason}. Another model or an earlier version wrote it. "
            "Set output to a new folder to train from the start."
        )

    def _path(self, step: int) -> pathlib.Path:
        return self.folder / f"step-{step:08d}"

    def _write(self, step: int, arrays: dict[str, np.ndarray], metadata: dict) -> None:
        with files.atomic_folder(self._path(step)) as temporary:
            try:
                safetensors.save_file(arrays, temporary / _ARRAYS)
            except SafetensorError as error:  # a full disk, for example
                raise InputError(f"The checkpoint of step {step} cannot be written: {error}") from None
            metadata = metadata | {"step": step, "sha256": _digest(temporary / _ARRAYS)}
            (temporary / _METADATA).write_text(json.dumps(metadata, indent=2), encoding="utf-8")
            for file in temporary.iterdir():
                _flush(file)
        # Removed only after the new one is complete, so that a kill at any moment leaves at least one.
        for old in set(self.steps()[: -self.keep]) - {self.best()}:
            shutil.rmtree(self._path(old))

    def _damage(self, step: int) -> str:
        """Why a checkpoint cannot be used, "" if it can."""
        try:
            metadata = self.metadata(step)
            if not metadata:
                return f"{_METADATA} cannot be used"
            if metadata.get("sha256") != _digest(self._path(step) / _ARRAYS):
                return "its content differs from what was written"
        except (OSError, SafetensorError) as error:
            return str(error)
        return ""


def _is_metadata(found: Any, step: int) -> bool:
    """Whether a JSON value has the form of the metadata that a `Trainer` saves with the checkpoint of a step."""
    if not isinstance(found, dict) or found.get("step") != step:
        return False
    scores, history, score = found.get("scores", {}), found.get("history", []), found.get("score")
    if not isinstance(scores, dict) or not isinstance(history, list):
        return False
    numbers = [*scores.values(), *history, 0.0 if score is None else score]
    return all(isinstance(number, int | float) for number in numbers)


def named_variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable that the rest of a training run depends on, by a name that is the same in every process.

    The names are numbers: Keras makes some paths unique by counting the layers made so far in the process.
    """
    optimizer = model.optimizer
    if not optimizer.built:
        with model.distribute_strategy.scope():
            optimizer.build(model.trainable_variables)
    named = {}
    for part, variables in (("model", model.variables), ("optimizer", optimizer.variables)):
        for number, variable in enumerate(variables):
            named[f"{part}/{number:04d}"] = variable
    return named


def _digest(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(file: pathlib.Path) -> None:
    """Returns when the file is on disk, so that it survives a power cut."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _move_aside(path: pathlib.Path) -> None:
    target = path.with_name(f"damaged-{path.name}")
    shutil.rmtree(target, ignore_errors=True)
    path.rename(target)
