"""The job of a fine-tuning run: a task's model with its data, or several tasks that share an encoder."""

import dataclasses
import json
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import files, progress
from bert_tf.data.readers.examples import OF_MODEL
from bert_tf.tasks.base.batching import with_static_rows
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
        """Checks the examples against the model and tokenizes them, once a run."""
        self.learned, self.heldout = check_rows(self.rows[0], self.rows[1], self.model, self.config.data.separator)
        preprocessor = self.model.preprocessor
        with progress.stages() as show:
            show("preparing", 0, len(self.learned) + len(self.heldout))
            self.train_examples = preprocessor.prepare(self.learned.texts, self.learned.targets)
            show("preparing", len(self.learned), len(self.learned) + len(self.heldout))
            self.heldout_texts = preprocessor.prepare_inference(self.heldout.texts)

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
        return int(self.model.dataset(self.train_examples, None, self.batch_size, drop_remainder=True).cardinality())

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        how = {"seed": self.seed, "start": start, "shard": shard}
        data = self.model.dataset(self.train_examples, None, rows, **how, **_ENDLESS)
        return with_static_rows(data, rows) if self.config.training.accumulation_steps > 1 else data

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        return model.score_prepared(self.heldout_texts, self.heldout.targets)

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
        tasks: Any = tuple(part.config for part in self.parts.values())  # configs in place of their paths
        self.config = dataclasses.replace(config, tasks=tasks)
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
        self.train_examples = {name: part.train_examples for name, part in self.parts.items()}

    @property
    def steps_per_epoch(self) -> int:
        return self.model.steps_of(self.batch_size)

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        return self.model.dataset(self.train_examples, rows, seed=self.seed, start=start, shard=shard, **_ENDLESS)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """The metrics of each task as "name/metric", and "mean": the mean of their main metrics."""
        metrics: dict[str, float] = {}
        main = []
        for name, part in self.parts.items():
            own = part.evaluate(part.model)
            metrics |= {f"{name}/{metric}": value for metric, value in own.items()}
            main.append(part.score(own))
        return metrics | {"mean": float(np.mean(main))}

    def score(self, metrics: dict[str, float]) -> float:
        return metrics[self.model.SCORE]

    def save(self, folder: pathlib.Path) -> list[pathlib.Path]:
        return [part.save(folder / name)[0] for name, part in self.parts.items()]
