"""The records of a pretraining run, checked against each other and against the model before training starts."""

import functools
import hashlib
import math
from collections.abc import Collection, Sequence
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.core.features import INPUT_IDS, NEXT_SENTENCE_LABELS
from bert_tf.data.pipeline.pretraining_dataset import make_dataset
from bert_tf.data.pipeline.record_reader import Records
from bert_tf.tasks.distillation.pretraining_distiller import with_taught
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.training.callbacks.metrics_logger import short_name
from bert_tf.training.config import ModelConfig, PhaseConfig, TrainingConfig
from bert_tf.training.data_source import DataSource, Validation
from bert_tf.training.distribution.batches import distribute, rows_per_replica

PAIRS = ("next_sentence", "sentence_order")  # objectives on pairs of segments, the same in records and in runs


class RecordsSource(DataSource):
    """The training records of a `PhaseConfig`.

    Args:
        outputs: as for `make_dataset`.
        taught: names of the losses of a teacher, which get blank targets; see `with_taught`.

    Attributes:
        records: to train on.
        validation: its held-out records as a `RecordsValidation`; None if it names none.
    """

    def __init__(
        self,
        phase: PhaseConfig,
        config: TrainingConfig,
        outputs: Collection[str] | None = None,
        taught: Sequence[str] = (),
    ):
        self.phase = phase
        self.batch_size, self.share = phase.batch_size, phase.share
        self.records = Records(phase.records, config.skip_records)
        self._dataset = functools.partial(_dataset, self.records, phase, config, outputs, taught)
        self.validation: RecordsValidation | None = None
        if phase.heldout:
            heldout = Records(phase.heldout, config.skip_records)
            self.validation = RecordsValidation(heldout, phase, config, outputs, taught)

    @property
    def all_records(self) -> list[Records]:
        """The training records and the held-out ones, if there are any."""
        if self.validation:
            return [self.records, self.validation.records]
        return [self.records]

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the records."""
        return int(self._dataset(self.batch_size, repeat=1).cardinality())

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Endless shuffled batches (see `DataSource`)."""
        return self._dataset(rows, start=start, shard=shard)


class RecordsValidation(Validation):
    """Held-out records; losses and accuracies are means over batches, as in training."""

    def __init__(
        self,
        records: Records,
        phase: PhaseConfig,
        config: TrainingConfig,
        outputs: Collection[str] | None = None,
        taught: Sequence[str] = (),
    ):
        self.records, self.phase, self.config = records, phase, config
        self._dataset = functools.partial(_dataset, records, phase, config, outputs, taught, shuffle=False)
        self._steps: dict[tuple[int, int], int] = {}  # batches of one pass, by rows and replicas

    def evaluate(self, model: keras.Model) -> dict[str, float]:
        """Losses, accuracies and the masked LM perplexity of the first `evaluate_batches` batches."""
        strategy = model.distribute_strategy
        rows, replicas = rows_per_replica(strategy, self.phase.batch_size), strategy.num_replicas_in_sync
        if (rows, replicas) not in self._steps:  # counting them takes as long as a small evaluation
            self._steps[rows, replicas] = int(self.one_pass(rows, replicas).cardinality())
        steps = min(self._steps[rows, replicas], self.config.evaluate_batches)
        scores = model.evaluate(distribute(strategy, self, rows), steps=steps, verbose=0, return_dict=True)
        scores = {short_name(name): value for name, value in scores.items()}
        scores.setdefault("masked_lm_loss", scores["loss"])  # Keras leaves it out where it is the only loss
        return scores | {"masked_lm_perplexity": math.exp(min(scores["masked_lm_loss"], 700))}  # exp(710) overflows

    def score(self, metrics: dict[str, float]) -> float:
        """The negative loss, because the greatest score is the best."""
        return -metrics["loss"]

    def batches(self, rows: int, start: int = 0, shard: tuple[int, int] = (0, 1)) -> tf.data.Dataset:
        """Endless batches in the order of the files (see `DataSource`)."""
        return self._dataset(rows, start=start, shard=shard)

    def one_pass(self, rows: int, shards: int = 1) -> tf.data.Dataset:
        """One pass over the records, or over the first shard of `shards`, in the order of the files."""
        return self._dataset(rows, shard=(0, shards), repeat=1)


def _dataset(
    records: Records,
    phase: PhaseConfig,
    config: TrainingConfig,
    outputs: Collection[str] | None,
    taught: Sequence[str],
    rows: int,
    **settings: Any,
) -> tf.data.Dataset:
    data = make_dataset(
        records,
        rows,
        seed=config.seed,
        buckets=phase.buckets or None,
        pack_length=phase.pack_length,
        outputs=outputs,
        **settings,
    )
    return data.map(functools.partial(with_taught, taught=taught)) if taught else data


def tokenizer_of(sources: Sequence[RecordsSource], model: ModelConfig) -> Tokenizer:
    """The tokenizer that all the records were made with.

    Args:
        sources: of the run.
        model: its `vocabulary` names the file for records that another program wrote.

    Raises:
        ConfigError: the records' vocabularies differ, or are unknown.
    """
    records = _all_records(sources)
    ours = [found for found in records if found.report]  # others have no report of the vocabulary
    if model.vocabulary:
        found = Tokenizer.from_file(model.vocabulary, lower_case=model.lower_case)
    elif ours:
        found = ours[0].tokenizer()
    else:
        raise ConfigError(
            f"{records[0].files[0]} was written by another program and does not name its vocabulary. Set "
            "model.vocabulary and model.lower_case."
        )
    for other in ours:
        check_vocabulary(other, found.vocabulary, model.vocabulary or ours[0].folder)
    return found


def check_vocabulary(records: Records, vocabulary: Sequence[str], owner: Any) -> None:
    """Raises `ConfigError` if records were made with another vocabulary, by the hash in their report.

    Args:
        records: to check; those that another program wrote have no report and are accepted.
        vocabulary: tokens in the order of their ids.
        owner: the file or folder of the vocabulary, for the message.
    """
    digest = hashlib.sha256("\n".join(vocabulary).encode()).hexdigest()
    if records.report and records.report["vocabulary"]["sha256"] != digest:
        raise ConfigError(
            f"{records.folder} was made with another vocabulary ({records.report['vocabulary']['size']:,} tokens) than "
            f"that of {owner} ({len(vocabulary):,} tokens). Rebuild the records with bert-tf records --vocab."
        )


def have_pairs(sources: Sequence[RecordsSource], objective: str | None) -> bool:
    """Whether the records have labelled pairs of segments.

    Raises:
        ConfigError: only some of them do, or those that the objective is about are not there.
    """
    labelled: list[Records] = []
    unlabelled: list[Records] = []
    for records in _all_records(sources):
        group = labelled if NEXT_SENTENCE_LABELS in records.shapes else unlabelled
        group.append(records)
    if labelled and unlabelled:
        raise ConfigError(
            f"{labelled[0].files[0]} has next sentence labels, {unlabelled[0].files[0]} has none. Rebuild the records "
            "with the same objective."
        )
    if objective in PAIRS:
        for records in _all_records(sources):
            made_for = records.settings.get("objective", objective if labelled else "none")
            if made_for != objective:
                raise ConfigError(
                    f"Received: objective={objective!r}. {records.files[0]} was made with objective={made_for}. Make "
                    f"the records again with bert-tf records --objective={objective}, or set another objective."
                )
    return bool(labelled)


def _all_records(sources: Sequence[RecordsSource]) -> list[Records]:
    records = []
    for source in sources:
        records += source.all_records
    return records


def check_lengths(sources: Sequence[RecordsSource], positions: int) -> None:
    """Raises `ConfigError` if sequences are longer than the model has positions."""
    for source in sources:
        if (source.phase.pack_length or 0) > positions:
            raise ConfigError(f"Received: pack_length={source.phase.pack_length}. The model has {positions} positions.")
        for records in source.all_records:
            if (width := records.shapes[INPUT_IDS][0]) > positions:
                raise ConfigError(
                    f"{records.files[0]} has examples of {width} tokens; the model has {positions} positions. "
                    f"Set model.max_positions={width}, or rebuild the records with a smaller max_length."
                )
