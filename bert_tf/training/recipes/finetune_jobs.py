"""The job of a fine-tuning run: a task's model with its data, or several tasks that share an encoder."""

import dataclasses
import pathlib
from typing import Any

import keras
import tensorflow as tf
from absl import logging

from bert_tf.core import progress
from bert_tf.data.readers.examples import write_files_of
from bert_tf.tasks.base.batching import with_static_rows
from bert_tf.tasks.base.class_weights import weigh_classes
from bert_tf.tasks.multi_task import MultiTask
from bert_tf.training.config import TrainingConfig
from bert_tf.training.data_source import DataSource, Validation
from bert_tf.training.privacy.poisson_batches import poisson_batches
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.recipes.finetune_data import check_rows, read_rows, with_noisy_copies
from bert_tf.training.recipes.finetune_model import make_model, with_labels
from bert_tf.training.recipes.mean_loss import MeanLoss

_LOSS_EXAMPLES = 2048  # on which the held-out loss is measured, at most: it only draws a curve
_ENDLESS = {"shuffle": True, "drop_remainder": True, "repeat": None}  # how a trainer reads a dataset


class TaskJob(DataSource, Validation):
    """One task: its model, its training examples and its held-out examples.

    Attributes:
        config: the `FinetuneConfig`; the labels are those of the training examples if it names none.
        title: of the model card.
        learned, heldout: checked `Examples` with targets as the model takes them.
    """

    def __init__(self, config: FinetuneConfig):
        self.rows = read_rows(config)
        self.config = with_labels(config, self.rows[0])
        self.batch_size = config.batch_size
        self.title = config.task.replace("_", " ")

    def make_model(self, training: TrainingConfig, encoder: Any = None) -> keras.Model:
        """Makes the model, with a new encoder or the given one; `prepare` must follow."""
        self.seed = training.seed
        self.model = make_model(self.config, training, encoder)
        return self.model

    def prepare(self) -> None:
        """Checks the examples against the model and tokenizes them, once per run.

        Raises:
            InputError: a row is bad, unless the config skips bad rows.
        """
        self.learned, self.heldout = check_rows(self.rows[0], self.rows[1], self.model, self.config.data.separator)
        if self.config.data.noise:
            self.learned = with_noisy_copies(self.learned, self.model, self.config.data, self.seed)
        preprocessor = self.model.preprocessor
        total = len(self.learned) + len(self.heldout)
        with progress.stages() as show:
            show("preparing", 0, total)
            self.train_examples = preprocessor.prepare(self.learned.texts, self.learned.targets)
            if weights := getattr(self.config.model, "class_weights", None):
                weights = self.model.class_weights(weights, self.learned.targets)
                self.train_examples = weigh_classes(self.train_examples, weights)
            show("preparing", len(self.learned), total)
            self.heldout_texts = preprocessor.prepare_inference(self.heldout.texts)
        spread = range(0, len(self.heldout), -(-len(self.heldout) // _LOSS_EXAMPLES))
        chosen = self.heldout.take(spread)
        self.loss_examples = preprocessor.prepare(chosen.texts, chosen.targets)
        self._loss: MeanLoss | None = None

    @property
    def parts(self) -> dict[str, "TaskJob"]:
        """The tasks of this run by name: this one alone."""
        return {self.config.task: self}

    @property
    def skipped(self) -> int:
        """Number of bad rows that were left out."""
        if self.heldout.bad is self.learned.bad:  # both are from one file
            return self.learned.bad.count
        return self.learned.bad.count + self.heldout.bad.count

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the rest is left out, which are other examples in each epoch."""
        return int(self.model.dataset(self.train_examples, None, self.batch_size, drop_remainder=True).cardinality())

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Endless shuffled batches (see `DataSource`)."""
        if self.config.privacy.is_set:  # on one replica
            return poisson_batches(self.train_examples, rows, self.seed, start, self.config.training.accumulation_steps)
        place = {"seed": self.seed, "start": start, "shard": shard}
        data = self.model.dataset(self.train_examples, None, rows, **place, **_ENDLESS)
        if self.config.training.accumulation_steps > 1:
            return with_static_rows(data, rows)
        return data

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """The metrics of the task on all held-out examples."""
        return model.score_prepared(self.heldout_texts, self.heldout.targets)

    def losses(self, model: keras.Model) -> dict[str, float]:
        """The mean loss of at most `_LOSS_EXAMPLES` held-out examples."""
        self._loss = self._loss or MeanLoss(self.model, self.loss_examples)
        return {"loss": self._loss()}

    def score(self, metrics: dict[str, float]) -> float:
        return metrics[self.model.SCORE]

    def warn_of_constant(self, scores: dict[str, float]) -> None:
        """Logs a warning if the model scores no better than one answer that is given to all held-out examples."""
        metric, targets = self.model.SCORE, self.heldout.targets
        score, constant = scores[metric], self.model.postprocessor.constant_score(targets or [])
        if not score > constant:  # also where it is nan
            logging.warning(
                "The %s model has learned nothing that helps on the %d held-out examples: its %s is %.3f, and one "
                "answer to all of them would get %.3f. More epochs, another training.learning_rate, more examples, or "
                "model.class_weights for rare classes may help.",
                *(self.title, len(self.heldout), metric.replace("_", " "), score, constant),
            )

    def save(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Writes the model, with the settings for reading files of its data set; returns the model folders."""
        self.model.save_pretrained(folder, overwrite=True)
        write_files_of(folder, self.config.data)
        return [folder]


class MultiTaskJob(DataSource, Validation):
    """Several tasks that share an encoder, trained together as a `MultiTask`; otherwise like `TaskJob`."""

    def __init__(self, config: FinetuneConfig):
        self.parts = {name: TaskJob(part) for name, part in config.parts().items()}
        # Configs in place of their paths, so that settings.json tells whether a task's config has changed.
        tasks: Any = tuple(part.config for part in self.parts.values())
        self.config = dataclasses.replace(config, tasks=tasks)
        self.batch_size = config.batch_size
        self.title = " and ".join(self.parts)

    def make_model(self, training: TrainingConfig) -> keras.Model:
        """Makes the `MultiTask` model; `prepare` must follow."""
        self.seed = training.seed
        encoder = None  # that of the first task, which the others share
        tasks, sizes = {}, {}
        for name, part in self.parts.items():
            tasks[name] = part.make_model(training, encoder)
            encoder = tasks[name].encoder
            sizes[name] = len(part.rows[0])
        self.model = MultiTask(tasks, sizes, self.config.temperature)
        return self.model

    def prepare(self) -> None:
        """Checks and tokenizes the examples of every task (see `TaskJob.prepare`)."""
        self.train_examples = {}
        for name, part in self.parts.items():
            part.prepare()
            self.train_examples[name] = part.train_examples

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, as `MultiTask` counts them."""
        return self.model.steps_of(self.batch_size)

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Endless shuffled batches with examples of every task (see `DataSource`)."""
        return self.model.dataset(self.train_examples, rows, seed=self.seed, start=start, shard=shard, **_ENDLESS)

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """The metrics of each task as "name/metric", and "mean": the mean of their main metrics."""
        return self.model.combine_scores({name: part.evaluate(part.model) for name, part in self.parts.items()})

    def losses(self, model: keras.Model) -> dict[str, float]:
        """The mean loss of each task, and their sum weighted as in training."""
        losses = {name: part.losses(part.model)["loss"] for name, part in self.parts.items()}
        total = sum(self.model.shares[name] * loss for name, loss in losses.items())
        return {f"{name}_loss": loss for name, loss in losses.items()} | {"loss": total}

    def score(self, metrics: dict[str, float]) -> float:
        return metrics[self.model.SCORE]

    def warn_of_constant(self, scores: dict[str, float]) -> None:
        """As `TaskJob.warn_of_constant`, for each task."""
        for name, part in self.parts.items():
            part.warn_of_constant({part.model.SCORE: scores[f"{name}/{part.model.SCORE}"]})

    def save(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Writes the model of each task to a subfolder with its name; returns the model folders."""
        return [part.save(folder / name)[0] for name, part in self.parts.items()]
