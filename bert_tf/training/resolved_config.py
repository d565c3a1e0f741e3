"""Settings of a run in its folder: what was asked for, and what was found out when it began."""

import dataclasses
import json
import pathlib

from bert_tf.core.errors import ConfigError
from bert_tf.core.files import write_text
from bert_tf.training import precision
from bert_tf.training.distribution.strategies import agree, worker

SETTINGS = "settings.json"
# What may change when a run goes on, because the weights do not hang on it.
FREE = (
    "output",
    "data.folder",
    *(f"training.{name}" for name in ("strategy", "remat", "log_every", "evaluate_every", "evaluate_batches")),
    *(f"training.{name}" for name in ("checkpoint_every", "keep_checkpoints", "blow_up", "skip_records")),
)
_BUDGET = 0.92  # of the minutes is for training, the rest for starting, evaluating and saving


def settle(config, folder, strategy, seconds_a_step):
    """The `TrainingConfig` with steps and precision as numbers and names; the same when a run goes on.

    Args:
        config: a config with `training`.
        folder: of the run. One that holds another run, or anything else, raises `ConfigError`.
        seconds_a_step: measures them, given a `TrainingConfig`; called if the config sets minutes.
    """
    folder = pathlib.Path(folder)
    asked = _plain(config)
    found = read(folder)
    if found:
        _refuse_other(found["asked"], asked, folder)
        return dataclasses.replace(config.training, **found["settled"])
    training = config.training
    if training.precision == "auto":
        training = dataclasses.replace(training, precision=precision.faster(strategy))
    if training.steps is None:
        seconds = agree(strategy, seconds_a_step(dataclasses.replace(training, steps=1000, minutes=None)))
        steps = max(1, int(_BUDGET * 60 * training.minutes / seconds))
        training = dataclasses.replace(training, steps=steps)
    settled = {"steps": training.steps, "precision": training.precision}
    if worker()[0] == 0:
        write_text(folder / SETTINGS, json.dumps({"asked": asked, "settled": settled}, indent=2) + "\n")
    return training


def read(folder):
    """What `settle` wrote to a run's folder, {} if it is new; a folder of other things raises `ConfigError`."""
    path = folder / SETTINGS
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} holds something else than a run. Set output to a new or empty folder.")
    return {}


def _plain(config):
    """The config as nested dicts of JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def _refuse_other(found, asked, folder):
    differing = sorted(set(_differences(found, asked)) - set(FREE))
    if differing:
        raise ConfigError(
            f"{folder} holds a run with other settings: {', '.join(differing)}. Set output to another folder."
        )


def _differences(old, new, where=""):
    """Dotted names of the values in which two configs differ."""
    for name in old.keys() | new.keys():
        a, b = old.get(name), new.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _differences(a, b, f"{where}{name}.")
        elif a != b:
            yield f"{where}{name}"
