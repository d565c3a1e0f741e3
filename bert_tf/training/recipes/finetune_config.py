"""Settings of a fine-tuning run; checked without importing TensorFlow."""

import dataclasses
import functools
import pathlib
import typing
from collections.abc import Iterable
from typing import Any

from bert_tf.core.config import from_dict, parse_value, read_toml
from bert_tf.core.errors import ConfigError, did_you_mean
from bert_tf.core.settings import Settings, setting
from bert_tf.data.readers.examples import FileConfig
from bert_tf.data.readers.tfds import PREFIX
from bert_tf.tasks import TASKS
from bert_tf.text.noise import NOISES
from bert_tf.training.config import MAX_ROWS, MAX_WIDTH, TrainingConfig
from bert_tf.training.recipes.privacy_config import PrivacyConfig
from bert_tf.training.teacher_config import MAX_LAYERS, TeacherConfig


@dataclasses.dataclass(frozen=True)
class DataConfig(FileConfig):
    """Training and held-out examples; both are read with the same settings."""

    folder: str = setting("", "folder of the files; empty: train and heldout are paths")
    train: str = setting("", "file of the training examples, or tfds:NAME:SPLIT")
    heldout: str | None = setting(None, "file of the examples to evaluate on, or tfds:NAME:SPLIT")
    heldout_share: float = setting(
        0.0, "instead of heldout: hold out this share of the training examples", least=0, below=1
    )
    noise: dict[str, float] | None = setting(
        None, "noise in copies of the training examples, as a table {kind = share of the words}", above=0, most=1
    )
    noise_copies: int = setting(1, "copies with noise of each training example", least=1, most=100)

    def path(self, name: str) -> str:
        """The path of the file `name` in `folder`; tfds:NAME:SPLIT stays as it is."""
        if name.startswith(PREFIX):
            return name
        return str(pathlib.Path(self.folder) / name)


# Settings of `ModelConfig` and of tasks that are no arguments of the model: where it comes from, how it is trained.
_NOT_OF_THE_MODEL = ("init", "fresh", "class_weights")


@dataclasses.dataclass(frozen=True)
class ModelConfig(Settings):
    """The model to fine-tune; a setting that is None is that of the folder `init`, or else the task's default.

    `model_config_of` adds the settings of a task as further fields.
    """

    init: str | None = setting(
        None, "the pretrained model: a folder of any format, or hf://OWNER/NAME; the same as --init"
    )
    fresh: bool = setting(False, "take only the sizes and the vocabulary of init, for a baseline")
    # Settings of the encoder; sizes may differ from those of `init` only with `fresh`.
    encoder: str | None = setting(None, "family of the encoder, with fresh")
    hidden_size: int | None = setting(None, "width of the encoder, with fresh", least=1, most=MAX_WIDTH)
    num_layers: int | None = setting(None, "number of blocks, with fresh", least=1, most=MAX_LAYERS)
    num_heads: int | None = setting(None, "attention heads of a block, with fresh", least=1, most=MAX_WIDTH)
    hidden_dropout: float | None = setting(None, "dropout after each sublayer and before the head", least=0, below=1)
    attention_dropout: float | None = setting(None, "dropout of the attention weights", least=0, below=1)

    def settings(self) -> dict[str, Any]:
        """The arguments of the task model that are set."""
        settings = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and field.name not in _NOT_OF_THE_MODEL:
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


def _with_default(name: str, default: Any) -> Any:
    """The field of `TrainingConfig` called `name`, with another default."""
    field = TrainingConfig.__dataclass_fields__[name]
    return dataclasses.field(default=default, metadata=field.metadata)


@dataclasses.dataclass(frozen=True)
class FinetuneTraining(TrainingConfig):
    """`TrainingConfig` with the defaults of Devlin et al. 2019, A.3; the number of steps follows from the epochs."""

    learning_rate: float = _with_default("learning_rate", 5e-5)
    log_every: int = _with_default("log_every", 20)
    checkpoint_every: int = _with_default("checkpoint_every", 1000)  # and at each evaluation
    keep_checkpoints: int = _with_default("keep_checkpoints", 1)
    fgm_epsilon: float | None = setting(
        None, "adversarial training by FGM: length by which the token vectors of a row are moved", above=0
    )
    r_drop_alpha: float | None = setting(
        None, "R-Drop: weight of the divergence between two passes with other dropout", above=0
    )


# Settings of `TrainingConfig` that fine-tuning refuses, and the setting to use instead.
NOT_TRAINING = {
    "steps": "Set epochs.",
    "minutes": "Set epochs.",
    "evaluate_every": "Set evaluations, their number in an epoch.",
    "evaluate_batches": "All held-out examples are scored.",
    "skip_records": "Set data.skip_bad_rows.",
}


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(Settings):
    """A fine-tuning run, or several that differ by their seed, into the folder `output`.

    Make it with `load_config` or `make_config`, which give `model` the settings of the task.
    """

    task: str = setting(next(iter(TASKS)), "what is learned")
    output: str = setting("runs/finetune", "the run's folder; the same as --output")
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    teacher: TeacherConfig = TeacherConfig()
    epochs: float = setting(3.0, "passes over the training examples", above=0, most=1_000_000)
    batch_size: int = setting(32, "examples of a step, of all workers together", least=1, most=MAX_ROWS)
    evaluations: int = setting(1, "evaluations per epoch; the model with the best score is kept", least=1)
    freeze_layers: int | None = setting(
        None, "number of blocks to freeze, from the lowest; the embeddings are frozen too", least=0
    )
    gradual_unfreezing: bool = setting(False, "train one more block per epoch, from the top; the embeddings last")
    seeds: int = setting(1, "number of runs, in the subfolders seed-0, seed-1, ...", least=1, most=1000)
    tasks: tuple[str, ...] = setting(
        (), "instead of task: configs whose tasks are trained together on one encoder, named as the files"
    )
    temperature: float = setting(
        1.0, "of the tasks' shares of a batch; 1: proportional to their examples; higher: more equal", above=0
    )
    training: FinetuneTraining = FinetuneTraining()
    privacy: PrivacyConfig = PrivacyConfig()

    def check(self) -> None:
        """Raises `ConfigError` for impossible settings, before any data file is read."""
        for part in self.parts().values():
            part._check_data()
        if not self.model.init:
            raise ConfigError("No model to start from: set --init to a model's folder, of any format.")
        for name, instead in NOT_TRAINING.items():
            if getattr(self.training, name) != getattr(FinetuneTraining, name):
                raise ConfigError(f"Received: training.{name}={getattr(self.training, name)}. {instead}")
        if self.gradual_unfreezing and self.freeze_layers is not None:
            raise ConfigError("Received: freeze_layers and gradual_unfreezing=true. Set either of them.")
        self.teacher.check()
        if self.teacher.model and self.tasks:
            raise ConfigError("Received: teacher.model with several tasks. A teacher is for a single one.")
        if self.teacher.model and not TASKS[self.task].distills:
            known = ", ".join(name for name, spec in TASKS.items() if spec.distills)
            raise ConfigError(f"Received: teacher.model with task={self.task!r}. Tasks with teachers: {known}.")
        if self.training.r_drop_alpha and (self.teacher.model or self.tasks):
            raise ConfigError("Received: training.r_drop_alpha with teacher.model or several tasks. Set either.")
        self.privacy.check(self)

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
        for kind in self.data.noise or ():
            if kind not in NOISES:
                raise ConfigError(f"Received: data.noise.{kind}. {did_you_mean(kind, NOISES, 'Kinds')}")


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
                f"{did_you_mean(name, model.__dataclass_fields__, 'Known keys')}"
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
