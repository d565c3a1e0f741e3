"""Settings of a fine-tuning run."""

import dataclasses
import pathlib

from bert_tf.core.config import load_toml
from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.examples import FileConfig
from bert_tf.data.readers.tfds import PREFIX
from bert_tf.modeling.families import FAMILIES
from bert_tf.tasks import TASKS
from bert_tf.training.config import TrainingConfig


@dataclasses.dataclass(frozen=True)
class DataConfig(FileConfig):
    """What is learned and what the model is judged by; both are read alike."""

    folder: str = ""  # where the files are; none: their names are enough
    train: str = ""  # a file, or tfds:NAME:SPLIT
    heldout: str | None = None
    heldout_share: float = 0.0  # instead: this share of the rows of `train`

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.heldout_share < 1:
            raise ConfigError(f"Received: data.heldout_share={self.heldout_share}. It is a share, in [0, 1).")

    def path(self, name):
        """A file's name with the folder before it."""
        return name if name.startswith(PREFIX) else str(pathlib.Path(self.folder) / name)

    def of_files(self):
        """The settings that hold for any file of this kind, as `FileConfig`."""
        return FileConfig(**{field.name: getattr(self, field.name) for field in dataclasses.fields(FileConfig)})


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The model to fine-tune; None: as the folder `init` has it, or else as the task has it by default."""

    init: str | None = None  # a folder of any format
    fresh: bool = False  # only the sizes and the vocabulary of `init` are used, as for a baseline
    # Of the task; see its class.
    labels: tuple[str, ...] | None = None  # None: those of the training data
    max_length: int | None = None
    problem_type: str | None = None
    pooling: str | None = None
    objective: str | None = None
    normalize: bool | None = None
    max_score: float | None = None
    scheme: str | None = None
    stride: int | None = None
    max_question_length: int | None = None
    max_answer_length: int | None = None
    null_threshold: float | None = None
    n_best: int | None = None
    metric: str | None = None
    # Of the encoder; sizes other than those of `init` only with `fresh`.
    encoder: str | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    hidden_dropout: float | None = None
    attention_dropout: float | None = None

    def settings(self, task):
        """What is set, as arguments of the models of a `TaskSpec`; what is none of them raises `ConfigError`."""
        fields = dataclasses.asdict(self)
        settings = {name: fields[name] for name in fields if name not in ("init", "fresh") and fields[name] is not None}
        known = {"encoder", *task.settings.__dataclass_fields__}
        for family in FAMILIES.values():
            known.update(field.name for field in dataclasses.fields(family.config))
        if strange := sorted(settings.keys() - known):
            raise ConfigError(
                f"Received: model.{strange[0]}={settings[strange[0]]!r}. {task.name} has no such setting."
            )
        return settings


@dataclasses.dataclass(frozen=True)
class FinetuneTraining(TrainingConfig):
    """As in pretraining, with the defaults of Devlin et al. 2019, A.3; the steps follow from the epochs."""

    learning_rate: float = 5e-5
    log_every: int = 20
    checkpoint_every: int = 1000  # and at each evaluation
    keep_checkpoints: int = 1


_NOT_TRAINING = {  # settings of pretraining alone, and what is set instead
    "steps": "Set epochs.",
    "minutes": "Set epochs.",
    "evaluate_every": "Set evaluations, their number in an epoch.",
    "evaluate_batches": "All held-out rows are scored.",
    "skip_records": "Set data.skip_bad_rows.",
}


@dataclasses.dataclass(frozen=True)
class FinetuneConfig:
    """A fine-tuning run, or several that differ by their seed, into the folder `output`."""

    task: str = "classification"
    output: str = "runs/finetune"
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    epochs: float = 3.0
    batch_size: int = 32
    evaluations: int = 1  # in each epoch; the best of them is the model
    freeze_layers: int | None = None  # blocks, from the lowest on, and the embeddings, that stay as they are
    gradual_unfreezing: bool = False  # one block more each epoch, from the top, the embeddings last
    seeds: int = 1  # how many runs, in subfolders seed-0 and so on
    # Instead of `task`: configs whose task, data and model are learned together on one encoder, named as the files.
    tasks: tuple[str, ...] = ()
    temperature: float = 1.0  # of their shares of a batch: 1 goes by their rows; the higher, the more alike
    training: FinetuneTraining = FinetuneTraining()

    def check(self):
        """Raises `ConfigError` where the settings cannot be, before any file is read."""
        for part in self.parts().values():
            part._check_data()
        if not self.model.init:
            raise ConfigError("Nothing to begin from: name a model's folder with --init, of any format.")
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

    def parts(self):
        """{name: the config of a task learned in this run}; what is not the task's own is this config's."""
        if not self.tasks:
            return {self.task: self}
        if self.data.train:
            raise ConfigError("Received both tasks and data.train. Each task's config names its own data.")
        parts = {pathlib.Path(path).stem: self._part(load_toml(FinetuneConfig, path)) for path in self.tasks}
        if len(parts) < max(2, len(self.tasks)):
            raise ConfigError(f"Received: tasks={list(self.tasks)}. Name at least two configs, of different names.")
        return parts

    def _part(self, config):
        """The config of a task as a part of this run: its task, data and model, begun as this one says."""
        model = dataclasses.replace(config.model, init=self.model.init, fresh=self.model.fresh)
        data = dataclasses.replace(config.data, folder=self.data.folder or config.data.folder)
        data = dataclasses.replace(data, skip_bad_rows=self.data.skip_bad_rows or data.skip_bad_rows)
        return dataclasses.replace(self, task=config.task, data=data, model=model, tasks=())

    def _check_data(self):
        """Raises `ConfigError` where a task cannot be, or its data."""
        if self.task not in TASKS:
            raise ConfigError(f"Received: task={self.task!r}. Tasks: {', '.join(TASKS)}.")
        if not self.data.train:
            raise ConfigError("Nothing to train on: set data.train=FILE.")
        if bool(self.data.heldout) == bool(self.data.heldout_share):
            raise ConfigError("Set either data.heldout=FILE or data.heldout_share, to judge the model by.")
        self.model.settings(TASKS[self.task])
