"""Settings of a fine-tuning run; checked without importing TensorFlow."""

import dataclasses
import functools
import pathlib
import typing
from collections.abc import Iterable
from typing import Any

from bert_tf.core.config import from_dict, nearest_key, parse_value, read_toml
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import FileConfig
from bert_tf.data.readers.tfds import PREFIX
from bert_tf.tasks import TASKS
from bert_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class DataConfig(FileConfig):
    """Training and held-out examples; both are read with the same settings."""

    folder: str = ""  # of the files; "": `train` and `heldout` are paths
    train: str = ""  # a file, or tfds:NAME:SPLIT
    heldout: str | None = None
    heldout_share: float = 0.0  # instead of `heldout`: hold out this share of the examples of `train`

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.heldout_share < 1:
            raise ConfigError(f"Received: data.heldout_share={self.heldout_share}. It is a share, in [0, 1).")

    def path(self, name: str) -> str:
        """The path of the file `name` in `folder`; tfds:NAME:SPLIT stays as it is."""
        if name.startswith(PREFIX):
            return name
        return str(pathlib.Path(self.folder) / name)

    def of_files(self) -> FileConfig:
        """The settings for reading any file with these columns, kept with the model."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(FileConfig)}
        return FileConfig(**values)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The model to fine-tune; a setting that is None is that of the folder `init`, or else the task's default.

    `model_config_of` adds the settings of a task as further fields.
    """

    init: str | None = None  # a folder of any format
    fresh: bool = False  # take only the sizes and the vocabulary of `init`, for a baseline
    # Settings of the encoder; sizes may differ from those of `init` only with `fresh`.
    encoder: str | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    hidden_dropout: float | None = None
    attention_dropout: float | None = None

    def settings(self) -> dict[str, Any]:
        """The arguments of the task model that are set."""
        settings = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and field.name not in ("init", "fresh"):
                settings[field.name] = value
        return settings


def model_config_of(task: str) -> type[ModelConfig]:
    """The `ModelConfig` with the settings of a task as further fields; an unknown task raises `ConfigError`."""
    return _with_settings(TASKS[task].settings)


# Cached, so that the config of a task has the same class each time: dataclasses of two classes are never equal.
@functools.cache
def _with_settings(settings: type) -> type[ModelConfig]:
    hints = typing.get_type_hints(settings)
    fields = [(field.name, hints[field.name], field) for field in dataclasses.fields(settings)]
    return dataclasses.make_dataclass("ModelConfig", fields, bases=(ModelConfig,), frozen=True)


@dataclasses.dataclass(frozen=True)
class FinetuneTraining(TrainingConfig):
    """`TrainingConfig` with the defaults of Devlin et al. 2019, A.3; the number of steps follows from the epochs."""

    learning_rate: float = 5e-5
    log_every: int = 20
    checkpoint_every: int = 1000  # and at each evaluation
    keep_checkpoints: int = 1


# Settings of `TrainingConfig` that fine-tuning refuses, and the setting to use instead.
_NOT_TRAINING = {
    "steps": "Set epochs.",
    "minutes": "Set epochs.",
    "evaluate_every": "Set evaluations, their number in an epoch.",
    "evaluate_batches": "All held-out examples are scored.",
    "skip_records": "Set data.skip_bad_rows.",
}


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """A fine-tuning run, or several that differ by their seed, into the folder `output`.

    Make it with `load_config` or `make_config`, which give `model` the settings of the task.
    """

    task: str = next(iter(TASKS))
    output: str = "runs/finetune"
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    epochs: float = 3.0
    batch_size: int = 32
    evaluations: int = 1  # per epoch; the model with the best score is kept
    freeze_layers: int | None = None  # number of blocks to freeze, from the lowest; the embeddings are frozen too
    gradual_unfreezing: bool = False  # train one more block per epoch, from the top; the embeddings last
    seeds: int = 1  # number of runs, in the subfolders seed-0, seed-1, ...
    # Instead of `task`: paths of configs whose tasks are trained together on one encoder, named as the files.
    tasks: tuple[str, ...] = ()
    temperature: float = 1.0  # of the tasks' shares of a batch; 1: proportional to their examples; higher: more equal
    training: FinetuneTraining = FinetuneTraining()

    def check(self) -> None:
        """Raises `ConfigError` for impossible settings, before any data file is read."""
        for part in self.parts().values():
            part._check_data()
        if not self.model.init:
            raise ConfigError("No model to start from: set --init to a model's folder, of any format.")
        for name in ("epochs", "batch_size", "evaluations", "seeds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be above 0.")
        for name, instead in _NOT_TRAINING.items():
            if getattr(self.training, name) != getattr(FinetuneTraining, name):
                raise ConfigError(f"Received: training.{name}={getattr(self.training, name)}. {instead}")
        if self.gradual_unfreezing and self.freeze_layers is not None:
            raise ConfigError("Received: freeze_layers and gradual_unfreezing=true. Set either of them.")
        if not self.temperature > 0:
            raise ConfigError(f"Received: temperature={self.temperature}. temperature must be above 0.")

    def parts(self) -> dict[str, "FinetuneConfig"]:
        """{name: config} of each task trained in this run, with this config's settings of the run.

        Raises:
            ConfigError: both `tasks` and `data.train` are set, or two task configs have one name.
        """
        if not self.tasks:
            return {self.task: self}
        if self.data.train:
            raise ConfigError("Received both tasks and data.train. Each task's config names its own data.")
        parts = {}
        for path in self.tasks:
            parts[pathlib.Path(path).stem] = self._part(load_config(path))
        if len(parts) < max(2, len(self.tasks)):
            raise ConfigError(f"Received: tasks={list(self.tasks)}. Name at least two configs with different names.")
        return parts

    def _part(self, config: "FinetuneConfig") -> "FinetuneConfig":
        """The config of a task in this run: its own task, data and model, with the `init` of this config."""
        model = dataclasses.replace(config.model, init=self.model.init, fresh=self.model.fresh)
        data = dataclasses.replace(config.data, folder=self.data.folder or config.data.folder)
        data = dataclasses.replace(data, skip_bad_rows=self.data.skip_bad_rows or data.skip_bad_rows)
        return dataclasses.replace(self, task=config.task, data=data, model=model, tasks=())

    def _check_data(self) -> None:
        """Raises `ConfigError` for an impossible task or impossible data."""
        if not TASKS[self.task].targets:
            raise ConfigError(f"Received: task={self.task!r}. A pretrained model has this task without fine-tuning.")
        if not self.data.train:
            raise ConfigError("No examples to train on: set data.train=FILE.")
        if bool(self.data.heldout) == bool(self.data.heldout_share):
            raise ConfigError("Set either data.heldout=FILE or data.heldout_share, to evaluate the model on.")


def load_config(path: str | pathlib.Path, overrides: Iterable[str] = ()) -> FinetuneConfig:
    """Reads a TOML file and applies "section.key=value" overrides.

    Raises:
        ConfigError: an unknown key (the message names the nearest known one), a wrong type, or an impossible value.
    """
    return make_config(read_toml(path), overrides)


def make_config(values: dict[str, Any], overrides: Iterable[str] = ()) -> FinetuneConfig:
    """Makes a config from nested dicts, as in TOML; settings of `model` that are None count as not set.

    Raises:
        ConfigError: as `load_config`.
    """
    values = dict(values)
    for assignment in overrides:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"Received: {assignment!r}. Overrides are written key=value.")
        values = _with_value(values, key.strip().split("."), parse_value(text.strip()), key.strip())
    settings = values.pop("model", {})
    config = from_dict(FinetuneConfig, values)
    if not isinstance(settings, dict):
        raise ConfigError(f"Received: model={settings!r}. model is a section; set model.KEY=VALUE.")
    # The keys of `model` depend on the task, so that section is read after the others.
    settings = {name: value for name, value in settings.items() if value is not None}
    model = model_config_of(config.task)
    for name in settings:
        if name not in model.__dataclass_fields__:
            raise ConfigError(
                f"Received: model.{name}={settings[name]!r}. {config.task} has no such setting. "
                f"{nearest_key(name, model.__dataclass_fields__)}"
            )
    return dataclasses.replace(config, model=from_dict(model, settings, "model."))


def override_config(config: FinetuneConfig, overrides: Iterable[str]) -> FinetuneConfig:
    """A config with "section.key=value" overrides applied."""
    return make_config(dataclasses.asdict(config), overrides)


def _with_value(values: dict[str, Any], keys: list[str], value: Any, full_key: str) -> dict[str, Any]:
    """A copy of nested dicts with the value at the path `keys` replaced."""
    if len(keys) > 1:
        inner = values.get(keys[0], {})
        if not isinstance(inner, dict):
            raise ConfigError(f"Received: the key {full_key!r}. {keys[0]!r} is a value and not a section.")
        value = _with_value(inner, keys[1:], value, full_key)
    return values | {keys[0]: value}
