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
    heldout_share: float = 0.0  # instead of `heldout`: this share of the examples of `train`

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.heldout_share < 1:
            raise ConfigError(f"Received: data.heldout_share={self.heldout_share}. It is a share, in [0, 1).")

    def path(self, name: str) -> str:
        """A file's name with the folder before it."""
        return name if name.startswith(PREFIX) else str(pathlib.Path(self.folder) / name)

    def of_files(self) -> FileConfig:
        """The settings that hold for any file of this kind."""
        return FileConfig(**{field.name: getattr(self, field.name) for field in dataclasses.fields(FileConfig)})


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The model to fine-tune; None: as in the folder `init`, or else the task's default.

    `model_config_of` adds the settings of a task as further fields.
    """

    init: str | None = None  # a folder of any format
    fresh: bool = False  # take only the sizes and the vocabulary of `init`, for a baseline
    # Of the encoder; other sizes than those of `init` only with `fresh`.
    encoder: str | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    hidden_dropout: float | None = None
    attention_dropout: float | None = None

    def settings(self) -> dict[str, Any]:
        """The arguments of the task model that are set."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in fields.items() if value is not None and name not in ("init", "fresh")}


def model_config_of(task: str) -> type[ModelConfig]:
    """The `ModelConfig` with the settings of a task as further fields; an unknown task raises `ConfigError`."""
    return _with_settings(TASKS[task].settings)


@functools.cache
def _with_settings(settings: type) -> type[ModelConfig]:
    hints = typing.get_type_hints(settings)
    fields = [(field.name, hints[field.name], field) for field in dataclasses.fields(settings)]
    return dataclasses.make_dataclass("ModelConfig", fields, bases=(ModelConfig,), frozen=True)


@dataclasses.dataclass(frozen=True)
class FinetuneTraining(TrainingConfig):
    """As in pretraining, with the defaults of Devlin et al. 2019, A.3; the steps follow from the epochs."""

    learning_rate: float = 5e-5
    log_every: int = 20
    checkpoint_every: int = 1000  # and at each evaluation
    keep_checkpoints: int = 1


_NOT_TRAINING = {  # settings of pretraining alone, and what to set instead
    "steps": "Set epochs.",
    "minutes": "Set epochs.",
    "evaluate_every": "Set evaluations, their number in an epoch.",
    "evaluate_batches": "All held-out examples are scored.",
    "skip_records": "Set data.skip_bad_rows.",
}


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """A fine-tuning run, or several that differ by their seed, into the folder `output`.

    Load it by `load_config` or `make_config`, which give `model` the settings of the task.
    """

    task: str = next(iter(TASKS))
    output: str = "runs/finetune"
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    epochs: float = 3.0
    batch_size: int = 32
    evaluations: int = 1  # in each epoch; the model is that of the best
    freeze_layers: int | None = None  # how many blocks to freeze, from the lowest, with the embeddings
    gradual_unfreezing: bool = False  # one block more per epoch, from the top, the embeddings last
    seeds: int = 1  # how many runs, in subfolders seed-0 and so on
    # Instead of `task`: configs whose task, data and model are trained together on one encoder, named as the files.
    tasks: tuple[str, ...] = ()
    temperature: float = 1.0  # of the tasks' shares of a batch: 1: by their examples; higher: more equal
    training: FinetuneTraining = FinetuneTraining()

    def check(self) -> None:
        """Raises `ConfigError` for impossible settings, before any data file is read."""
        for part in self.parts().values():
            part._check_data()
        if not self.model.init:
            raise ConfigError("No model to start from: name a model's folder with --init, of any format.")
        for name in ("epochs", "batch_size", "evaluations", "seeds"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be above 0.")
        for name, instead in _NOT_TRAINING.items():
            if getattr(self.training, name) != getattr(FinetuneTraining, name):
                raise ConfigError(f"Received: training.{name}={getattr(self.training, name)}. {instead}")
        if self.gradual_unfreezing and self.freeze_layers is not None:
            raise ConfigError("Set either freeze_layers or gradual_unfreezing.")
        if not self.temperature > 0:
            raise ConfigError(f"Received: temperature={self.temperature}. temperature must be above 0.")

    def parts(self) -> dict[str, "FinetuneConfig"]:
        """{name: the config of a task trained in this run}; settings of the run are those of this config."""
        if not self.tasks:
            return {self.task: self}
        if self.data.train:
            raise ConfigError("Received both tasks and data.train. Each task's config names its own data.")
        parts = {pathlib.Path(path).stem: self._part(load_config(path)) for path in self.tasks}
        if len(parts) < max(2, len(self.tasks)):
            raise ConfigError(f"Received: tasks={list(self.tasks)}. Name at least two configs, of different names.")
        return parts

    def _part(self, config: "FinetuneConfig") -> "FinetuneConfig":
        """A task's config as a part of this run: its task, data and model, with the `init` of this config."""
        model = dataclasses.replace(config.model, init=self.model.init, fresh=self.model.fresh)
        data = dataclasses.replace(config.data, folder=self.data.folder or config.data.folder)
        data = dataclasses.replace(data, skip_bad_rows=self.data.skip_bad_rows or data.skip_bad_rows)
        return dataclasses.replace(self, task=config.task, data=data, model=model, tasks=())

    def _check_data(self) -> None:
        """Raises `ConfigError` for an impossible task or impossible data."""
        if not TASKS[self.task].targets:
            raise ConfigError(f"Received: task={self.task!r}. A pretrained model has this task without fine-tuning.")
        if not self.data.train:
            raise ConfigError("Nothing to train on: set data.train=FILE.")
        if bool(self.data.heldout) == bool(self.data.heldout_share):
            raise ConfigError("Set either data.heldout=FILE or data.heldout_share, to evaluate the model on.")


def load_config(path: str | pathlib.Path, overrides: Iterable[str] = ()) -> FinetuneConfig:
    """Reads a TOML file and applies "section.key=value" overrides.

    Raises:
        ConfigError: an unknown key (the message names the nearest known one), a wrong type, or an impossible value.
    """
    return make_config(read_toml(path), overrides)


def make_config(values: dict[str, Any], overrides: Iterable[str] = ()) -> FinetuneConfig:
    """The config of nested dicts, as TOML has them; settings of `model` that are None do not count."""
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
    """Nested dicts with one value replaced."""
    if len(keys) > 1:
        inner = values.get(keys[0], {})
        if not isinstance(inner, dict):
            raise ConfigError(f"Unknown key {full_key!r}: {keys[0]!r} has no parts.")
        value = _with_value(inner, keys[1:], value, full_key)
    return values | {keys[0]: value}
