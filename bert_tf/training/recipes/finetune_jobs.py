"""The job of a fine-tuning run: a task's model with its data, or several tasks that share an encoder."""

import dataclasses
import json
import pathlib
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core import files
from bert_tf.data.readers.examples import OF_MODEL
from bert_tf.tasks.multi_task import MultiTask
from bert_tf.training.config import TrainingConfig
from bert_tf.training.data_source import DataSource, Validation
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.recipes.finetune_data import check_rows, read_rows
from bert_tf.training.recipes.finetune_model import make_model, with_labels

_ENDLESS = {"shuffle": True, "drop_remainder": True, "repeat": None}  # as a trainer reads a dataset


def make_job(config: FinetuneConfig) -> "TaskJob | MultiTaskJob":
    """The job of a config, whose examples are read and whose model is not yet made."""
    return MultiTaskJob(config) if config.tasks else TaskJob(config)


class TaskJob(DataSource, Validation):
    """One task: its model, its training examples and those held out.

    Attributes:
        config: the `FinetuneConfig`, with the labels of the training examples where it named none.
        title: of the model's card.
        learned, heldout: `Examples`, as the model takes them.
    """

    def __init__(self, config: FinetuneConfig):
        self.rows = read_rows(config)
        self.config = with_labels(config, self.rows[0])
        self.batch_size = config.batch_size
        self.title = config.task.replace("_", " ")

    def make_model(self, training: TrainingConfig, encoder: Any = None) -> keras.Model:
        """Makes the model, with an encoder of its own or the one given; `prepare` is next."""
        self.seed = training.seed
        self.model = make_model(self.config, training, encoder)
        return self.model

    def prepare(self) -> None:
        """Checks the examples against the model and makes tensors of them, once a run."""
        self.learned, self.heldout = check_rows(*self.rows, self.model, self.config.data.separator)
        self.texts = self.model.preprocessor.encode_texts(self.learned.texts, training=True)

    @property
    def parts(self) -> dict[str, "TaskJob"]:
        """The tasks of this run by name: this one alone."""
        return {self.config.task: self}

    @property
    def skipped(self) -> int:
        """Bad rows that were left out."""
        learned, heldout = self.learned.bad, self.heldout.bad
        return learned.count + (heldout.count if heldout is not learned else 0)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; what does not fill one is left out, other examples in each epoch."""
        data = self.model.dataset(self.texts, self.learned.targets, self.batch_size, drop_remainder=True)
        return int(data.cardinality())

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        targets = self.learned.targets
        return self.model.dataset(self.texts, targets, rows, seed=self.seed, start=start, shard=shard, **_ENDLESS)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return model.score(self.heldout.texts, self.heldout.targets)

    def score(self, metrics: dict[str, float]) -> float:
        return metrics[self.model.SCORE]

    def save(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Writes the model, and how files of its data set are read; returns the folders of models."""
        self.model.save_pretrained(folder, overwrite=True)
        of_files = dataclasses.asdict(self.config.data.of_files())
        files.write_text(folder / OF_MODEL, json.dumps(of_files, indent=2) + "\n")
        return [folder]


class MultiTaskJob(DataSource, Validation):
    """Several tasks that share an encoder, trained together as a `MultiTask`; otherwise like `TaskJob`."""

    def __init__(self, config: FinetuneConfig):
        self.parts = {name: TaskJob(part) for name, part in config.parts().items()}
        self.config = dataclasses.replace(config, tasks=tuple(part.config for part in self.parts.values()))
        self.batch_size = config.batch_size
        self.title = " and ".join(self.parts)

    def make_model(self, training: TrainingConfig) -> keras.Model:
        self.seed = training.seed
        encoder = None
        for part in self.parts.values():
            encoder = part.make_model(training, encoder).encoder
        tasks = {name: part.model for name, part in self.parts.items()}
        sizes = {name: len(part.rows[0]) for name, part in self.parts.items()}
        self.model = MultiTask(tasks, sizes, self.config.temperature)
        return self.model

    def prepare(self) -> None:
        for part in self.parts.values():
            part.prepare()
        self.data = {name: (part.texts, part.learned.targets) for name, part in self.parts.items()}

    @property
    def steps_per_epoch(self) -> int:
        return self.model.steps_of(self.batch_size)

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        return self.model.dataset(self.data, rows, seed=self.seed, start=start, shard=shard, **_ENDLESS)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return model.score({name: (part.heldout.texts, part.heldout.targets) for name, part in self.parts.items()})

    def score(self, metrics: dict[str, float]) -> float:
        return metrics[self.model.SCORE]

    def save(self, folder: pathlib.Path) -> list[pathlib.Path]:
        return [part.save(folder / name)[0] for name, part in self.parts.items()]
