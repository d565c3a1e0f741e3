"""What a run trains: a task's model with its rows, or several that share an encoder."""

import dataclasses
import json

from bert_tf.core import files
from bert_tf.data.readers.examples import OF_MODEL
from bert_tf.tasks.multi_task import MultiTask
from bert_tf.training.recipes.finetune_data import check_rows, read_rows
from bert_tf.training.recipes.finetune_model import make_model, with_labels

_ENDLESS = {"shuffle": True, "drop_remainder": True, "repeat": None}  # what a run reads of a dataset


def make_learner(config):
    """The learner of a `FinetuneConfig`, whose rows are read and whose model is not yet made."""
    return SeveralTasks(config) if config.tasks else OneTask(config)


class OneTask:
    """A task's model, the rows it learns and those it is judged by.

    Attributes:
        config: the `FinetuneConfig`, with the labels of the training rows where it named none.
        title: of the model's card.
        learned, heldout: `Examples`, as the model takes them.
    """

    def __init__(self, config):
        self.rows = read_rows(config)
        self.config = with_labels(config, self.rows[0])
        self.title = config.task.replace("_", " ")

    def make_model(self, training, encoder=None):
        """Makes the model, with an encoder of its own or the one given; `check` is next."""
        self.model = make_model(self.config, training, encoder)
        return self.model

    def check(self):
        """Checks the rows against the model; texts are made tensors once."""
        self.learned, self.heldout = check_rows(*self.rows, self.model, self.config.data.separator)
        self.texts = self.model.encode_texts(self.learned.texts, training=True)

    @property
    def parts(self):
        """Those learned together, by name: this one alone."""
        return {self.config.task: self}

    @property
    def skipped(self):
        """Bad rows that were left out."""
        learned, heldout = self.learned.bad, self.heldout.bad
        return learned.count + (heldout.count if heldout is not learned else 0)

    def steps(self, batch_size):
        """Batches in an epoch; what does not fill one is left out, other rows in each."""
        data = self.model.dataset(self.texts, self.learned.targets, batch_size, drop_remainder=True)
        return int(data.cardinality())

    def read(self, rows, start, shard, seed):
        """Endless batches of `rows` rows for shard (k, n), from position `start` on."""
        targets = self.learned.targets
        return self.model.dataset(self.texts, targets, rows, seed=seed, start=start, shard=shard, **_ENDLESS)

    def score(self, model):
        """The model's figures on the rows held out."""
        return model.score(self.heldout.texts, self.heldout.targets)

    def save(self, folder):
        """Writes the model, and how files of its data set are read; returns the folders with a model."""
        self.model.save_pretrained(folder, overwrite=True)
        of_files = dataclasses.asdict(self.config.data.of_files())
        files.write_text(folder / OF_MODEL, json.dumps(of_files, indent=2) + "\n")
        return [folder]


class SeveralTasks:
    """Tasks that share an encoder, `MultiTask`; in all else as `OneTask`."""

    def __init__(self, config):
        self.parts = {name: OneTask(part) for name, part in config.parts().items()}
        self.config = dataclasses.replace(config, tasks=tuple(part.config for part in self.parts.values()))
        self.title = " and ".join(self.parts)

    def make_model(self, training):
        encoder = None
        for part in self.parts.values():
            encoder = part.make_model(training, encoder).encoder
        tasks = {name: part.model for name, part in self.parts.items()}
        sizes = {name: len(part.rows[0]) for name, part in self.parts.items()}
        self.model = MultiTask(tasks, sizes, self.config.temperature)
        return self.model

    def check(self):
        for part in self.parts.values():
            part.check()
        self.data = {name: (part.texts, part.learned.targets) for name, part in self.parts.items()}

    def steps(self, batch_size):
        return self.model.steps_of(batch_size)

    def read(self, rows, start, shard, seed):
        return self.model.dataset(self.data, rows, seed=seed, start=start, shard=shard, **_ENDLESS)

    def score(self, model):
        return model.score({name: (part.heldout.texts, part.heldout.targets) for name, part in self.parts.items()})

    def save(self, folder):
        return [part.save(folder / name)[0] for name, part in self.parts.items()]
