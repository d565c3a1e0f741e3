"""Fine-tuning with a teacher: the job of a run whose student learns a trained model's outputs besides the labels."""

import hashlib
import pathlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from absl import logging
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from bert_tf.core import files, progress
from bert_tf.core.errors import InputError
from bert_tf.core.hub import resolve_folder
from bert_tf.data.readers.examples import read_examples
from bert_tf.tasks import TASKS, load
from bert_tf.tasks.base.batching import take
from bert_tf.tasks.distillation.distiller import Distiller
from bert_tf.tasks.distillation.examples import join_columns
from bert_tf.training.config import TrainingConfig
from bert_tf.training.distribution.strategies import agree, is_chief
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.recipes.finetune_jobs import TaskJob


class DistillJob(TaskJob):
    """A task with a teacher: `make_model` makes a `Distiller`, of which `model` is the student.

    `teach` must follow `prepare`, once the run's folder is known.
    """

    def __init__(self, config: FinetuneConfig):
        super().__init__(config)
        self.more_rows = None
        if config.teacher.unlabelled:
            path = config.data.path(config.teacher.unlabelled)
            self.more_rows = read_examples(path, config.data, TASKS[config.task], with_targets=False)

    def make_model(self, training: TrainingConfig, encoder: Any = None) -> keras.Model:
        """Makes the student and opens its teacher; returns the `Distiller`."""
        student = super().make_model(training, encoder)
        settings = self.config.teacher
        teacher = load(settings.model, training.precision)
        self.distiller = Distiller(
            student,
            teacher,
            weight=settings.weight,
            temperature=settings.temperature,
            hidden_weight=settings.hidden_weight,
            relation_weight=settings.relation_weight,
            layers=settings.layers,
            relation_heads=settings.relation_heads,
        )
        if settings.embeddings:
            self.distiller.teacher.lend_embeddings()
        return self.distiller

    def prepare(self) -> None:
        """As `TaskJob.prepare`; tokenizes the texts without labels too, and replaces tokens of copies."""
        super().prepare()
        settings, unlabelled = self.config.teacher, None
        self.columns = self.model.preprocessor.encode_texts(self.learned.texts, training=True)
        if self.more_rows:
            more = self._encode(self.more_rows)
            unlabelled = self.distiller.prepare_unlabelled(more)
            self.columns = join_columns(self.columns, more)
        self.train_examples = self.distiller.prepare(
            self.train_examples, unlabelled, settings.augment, settings.augment_share, self.seed
        )

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """As `TaskJob.evaluate`, of the student."""
        return super().evaluate(self.model)

    def _encode(self, examples: Any) -> tuple:
        """The encoded texts of `Examples`; a bad one raises `InputError` with the name of the file."""
        try:
            return self.model.preprocessor.encode_texts(examples.texts, training=True)
        except InputError as error:
            raise InputError(f"{examples.path}: {error}") from None

    def _originals(self) -> np.ndarray:
        """For each training example the number of the one whose outputs it learns, int [N].

        That is the original for a copy with noise, so that the student learns to answer as the teacher does without
        noise, and else the example itself, as in tasks on tokens: there the tokens of a copy are others.
        """
        numbers = np.arange(len(self.train_examples))
        if self.config.data.noise and not self.model.PER_TOKEN:
            copied = len(self.learned)  # the originals, then as many in each round of copies
            numbers[:copied] %= copied // (1 + self.config.data.noise_copies)
        return numbers

    def teach(self, folder: pathlib.Path, strategy: tf.distribute.Strategy) -> None:
        """Adds the teacher's outputs to the training examples, computed by the chief, or read.

        They are in the folder of the settings, or in `folder`, that of the run's checkpoints, which is removed with it.
        """
        path = pathlib.Path(self.config.teacher.outputs or folder) / f"teacher-{self._digest()}.safetensors"
        logits = self._read(path)
        if is_chief() and logits is None:
            read, places = np.unique(self._originals(), return_inverse=True)
            columns = () if self.distiller.teacher.reads_rows else take(self.columns, read)
            with progress.stages() as show:
                found = self.distiller.teacher_logits(
                    self.train_examples.take(read), columns, lambda done, total: show("teaching", done, total)
                )
            logits = found if len(read) == len(places) else {name: found[name][places] for name in found}
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.atomic_file(path) as temporary:
                safetensors.save_file(logits, temporary)
        agree(strategy, 0.0)  # the other workers wait for the chief
        if logits is None:
            logits = self._read(path)
        if logits is None:
            raise InputError(f"{path}, which another worker wrote, cannot be read. All workers need the same folder.")
        self.train_examples = self.distiller.teach(self.train_examples, logits)

    def _digest(self) -> str:
        """Of all that the teacher's outputs depend on: its files, the examples, and the texts if it reads these."""
        digest = hashlib.sha256()
        for path in sorted(resolve_folder(self.config.teacher.model).iterdir()):
            if path.is_file():
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        read = [self.train_examples.rows, () if self.distiller.teacher.reads_rows else self.columns]
        for values in tf.nest.flatten(read, expand_composites=True):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]

    def _read(self, path: pathlib.Path) -> dict[str, np.ndarray] | None:
        """The teacher's outputs that a run, or the chief, wrote; None where there are none, or they are damaged."""
        if not path.exists():
            return None
        try:
            return safetensors.load_file(path)
        except (OSError, SafetensorError) as error:
            logging.warning("%s is damaged (%s): the teacher's outputs are computed again.", path, error)
            return None
