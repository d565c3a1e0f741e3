"""Pretraining from a config: checks the records, trains, and writes the model and its card."""

import dataclasses
import pathlib
from collections.abc import Sequence

import keras

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training import resolved_config, run_folder
from bert_tf.training.compile_model import StepTimer, compile_model
from bert_tf.training.config import ModelConfig, PretrainConfig, TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.model_card import write_card, write_curves
from bert_tf.training.recipes.pretraining_data import (
    RecordsSource,
    check_lengths,
    check_vocabulary,
    have_next_sentence,
    vocabulary_of,
)
from bert_tf.training.trainer import Trainer
from bert_tf.weights import read_model

_TIMED_STEPS = 12  # to measure the time of a step


def pretrain(config: PretrainConfig) -> dict[str, float]:
    """Trains masked LM and next sentence prediction by a config, or resumes such a run.

    Writes to `config.output`: settings.json, checkpoints/, metrics.jsonl, logs/ for TensorBoard, curves.png, and
    model/, a folder for `BertPretrainer.from_pretrained`, fine-tuning and export, with a model card.

    Returns:
        The metrics on held-out data after the last step.

    Raises:
        ConfigError: the config is impossible, or does not fit the records; nothing has been written.
        InputError: the run cannot continue: a signal, a diverging loss, damaged records.
    """
    config.check()
    strategies.check_cluster()
    folder = pathlib.Path(config.output)
    run_folder.read_settings(folder)  # refuses a folder of something else
    job = PretrainJob(config)
    with run_folder.locked(folder, strategies.is_chief()):
        training = resolved_config.resolve(config, folder, job.strategy, job)
        model = job.make_model(training)
        validations = [source.validation for source in job.sources]
        scores = Trainer(model, job.sources, validations, training, folder).train()
        if strategies.is_chief():
            model.save_pretrained(folder / "model", job.vocabulary, overwrite=True)
            write_curves(folder, "pretraining")
            write_card(folder / "model", "BERT, pretrained", job.facts(training, model), scores)
    return scores


class PretrainJob:
    """The records, vocabulary and encoder settings of a pretraining run, checked against each other.

    Attributes:
        sources: a `RecordsSource` per phase.
        vocabulary: tokens and `TextConfig` that the records were made with.
        strategy: the `tf.distribute.Strategy`.
    """

    def __init__(self, config: PretrainConfig):
        self.config = config
        self.sources = [RecordsSource(phase, config.training) for phase in config.all_phases]
        self.vocabulary = vocabulary_of(self.sources, config.model)
        self.encoder = _encoder_settings(config.model, self.vocabulary.vocabulary, self.sources)
        self.next_sentence = have_next_sentence(self.sources)
        self.strategy = strategies.make_strategy(config.training.strategy)
        for source in self.sources:
            # Raises `ConfigError` now rather than when the phase begins.
            rows_per_replica(self.strategy, source.batch_size, config.training.accumulation_steps)

    def make_model(self, training: TrainingConfig) -> BertPretrainer:
        """Makes a compiled model, with the weights in the folder `model.init` or random ones by the seed."""
        keras.utils.set_random_seed(training.seed)
        with self.strategy.scope():
            if self.config.model.init:
                model = BertPretrainer.from_pretrained(self.config.model.init, training.precision)
            else:
                model = BertPretrainer(dtype=training.precision, **self.encoder)
            compile_model(model, training, next_sentence=self.next_sentence)
        return model

    def seconds_per_step(self, training: TrainingConfig) -> float:
        """The mean seconds of a step over all phases, weighted by their shares, measured on a model of its own."""
        model = self.make_model(training)
        total = 0.0
        for source in self.sources:
            data = distribute(self.strategy, source, rows_per_replica(self.strategy, source.batch_size))
            timer = StepTimer()
            model.fit(data, steps_per_epoch=_TIMED_STEPS, shuffle=False, verbose=0, callbacks=[timer])
            total += source.share * timer.seconds
        return total

    def facts(self, training: TrainingConfig, model: BertPretrainer) -> dict[str, str | int | None]:
        """The table of the model card: the model, its data and how it was trained."""
        encoder = model.config
        records, heldout = [], []
        for source in self.sources:
            phase = source.phase
            records.append(f"{phase.records} ({len(source.records):,} examples, batches of {source.batch_size})")
            if phase.heldout:
                heldout.append(phase.heldout)
        return {
            "encoder": f"{encoder.num_layers} layers, {encoder.hidden_size} wide, {encoder.num_heads} heads",
            "parameters": f"{model.count_params():,}",
            "vocabulary": f"{encoder.vocab_size:,} tokens",
            "initialized from": self.config.model.init,
            "records": ", ".join(records),
            "held out": ", ".join(heldout),
            "steps": f"{training.steps:,}",
            "optimizer": f"{training.optimizer}, {training.learning_rate:g}, {training.schedule}",
            "computed in": training.precision,
            "seed": training.seed,
        }


def _encoder_settings(model: ModelConfig, vocabulary: Sequence[str], sources: Sequence[RecordsSource]) -> dict:
    """Arguments of the encoder, from the config and the vocabulary or from the model in `model.init`.

    Raises:
        ConfigError: the records have another vocabulary, or longer sequences, than the model.
    """
    if model.init:
        checkpoint = read_model(model.init)
        encoder = dataclasses.asdict(checkpoint.encoder)
        for source in sources:
            check_vocabulary(source.records, checkpoint.vocabulary or vocabulary, model.init)
    else:
        encoder = dataclasses.asdict(model)
        for name in ("init", "vocabulary", "lower_case"):  # not of the encoder
            del encoder[name]
        encoder["intermediate_size"] = model.intermediate_size or 4 * model.hidden_size
        encoder["vocab_size"] = len(vocabulary)
        # Both raise `ConfigError` for impossible values.
        BertConfig(**encoder)
        get_activation(model.activation)
    if encoder["vocab_size"] < len(vocabulary):
        raise ConfigError(
            f"{model.init} has {encoder['vocab_size']:,} tokens, the records have {len(vocabulary):,}. Rebuild the "
            "records with the model's vocabulary."
        )
    check_lengths(sources, encoder["max_positions"])
    return encoder
