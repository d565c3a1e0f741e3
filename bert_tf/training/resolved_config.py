"""The settings file of a run folder: settings as requested, and values resolved when the run started."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator
from typing import Any, Protocol

import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.files import write_text
from bert_tf.training import precision
from bert_tf.training.config import TrainingConfig
from bert_tf.training.distribution.strategies import agree, is_chief
from bert_tf.training.run_folder import REQUESTED, RESOLVED, SETTINGS, read_settings

# Settings that may change on resume: none of them affects the weights.
MUTABLE_ON_RESUME = (
    "output",
    "data.folder",
    *(f"training.{name}" for name in ("strategy", "remat", "log_every", "evaluate_every", "evaluate_batches")),
    *(f"training.{name}" for name in ("checkpoint_every", "keep_checkpoints", "blow_up", "skip_records")),
)
_BUDGET = 0.92  # share of the minutes for training; the rest is for starting, evaluating and saving


class TimedJob(Protocol):
    """A job that can measure its steps."""

    def seconds_per_step(self, training: TrainingConfig) -> float:
        """The seconds of a step, measured on a model that is thrown away."""


def resolve(
    config: Any, folder: pathlib.Path, strategy: tf.distribute.Strategy, job: TimedJob | None = None
) -> TrainingConfig:
    """The `TrainingConfig` with a number of steps and a precision; a resumed run gets the same ones as before.

    Args:
        config: a config with `training`.
        folder: of the run.
        strategy: the workers of which measure and agree on the values.
        job: measures the time of a step where the config sets minutes.

    Raises:
        ConfigError: the folder holds a run with other settings, or something else.
        InputError: its settings file is damaged.
    """
    requested = _plain(config)
    stored = read_settings(folder)
    if stored:
        _refuse_other(stored[REQUESTED], requested, _plain(type(config)()), folder)
        return dataclasses.replace(config.training, **stored[RESOLVED])
    training = config.training
    if training.precision == "auto":
        training = dataclasses.replace(training, precision=precision.faster(strategy))
    if training.steps is None:
        assert job is not None
        seconds = agree(strategy, job.seconds_per_step(dataclasses.replace(training, steps=1000, minutes=None)))
        steps = max(1, int(_BUDGET * 60 * training.minutes / seconds))
        training = dataclasses.replace(training, steps=steps)
    resolved = {"steps": training.steps, "precision": training.precision}
    if is_chief():
        write_text(folder / SETTINGS, json.dumps({REQUESTED: requested, RESOLVED: resolved}, indent=2) + "\n")
    return training


def _plain(config: Any) -> dict:
    """The config as nested dicts of JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _refuse_other(stored: dict, requested: dict, defaults: dict, folder: pathlib.Path) -> None:
    """Raises `ConfigError` if settings differ that affect the weights."""
    differing = sorted(set(_differences(stored, requested, defaults)) - set(MUTABLE_ON_RESUME))
    if differing:
        raise ConfigError(
            f"{folder} holds a run with other settings: {', '.join(differing)}. Set output to another folder, or use "
            "the settings of that run to resume it."
        )


def _differences(old: dict, new: dict, defaults: dict, where: str = "") -> Iterator[str]:
    """Dotted names of the values in which two configs differ; a missing value counts as the default."""
    for name in old.keys() | new.keys():
        default = defaults.get(name)  # a run of an earlier version lacks settings that are new
        a, b = old.get(name, default), new.get(name, default)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, default or {}, f"{where}{name}.")
        elif _without_none(a) != _without_none(b):
            yield f"{where}{name}"


def _without_none(value: Any) -> Any:
    """A JSON value without the keys, at any depth, that are None."""
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return list(map(_without_none, value))
    return value
