"""Pretraining from a config: checks the records, trains, and writes the model and its card."""

import dataclasses
import pathlib
from typing import Any

import keras

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.activations import get_activation
from bert_tf.training import resolved_config, run_folder
from bert_tf.training.compile_model import StepTimer, compile_model
from bert_tf.training.config import PretrainConfig, TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.model_card import write_card, write_curves
from bert_tf.training.recipes.pretraining_data import (
    RecordsSource,
    check_lengths,
    check_vocabulary,
    have_pairs,
    tokenizer_of,
)
from bert_tf.training.recipes.pretraining_objectives import OBJECTIVES
from bert_tf.training.recipes.pretraining_teacher import check_teacher, taught_losses, with_teacher
from bert_tf.training.trainer import Trainer
from bert_tf.weights import read_model

_TIMED_STEPS = 12  # to measure the time of a step


def pretrain(config: PretrainConfig) -> dict[str, float]:
    """Trains masked LM and the other objective of a config, or resumes such a run.

    Writes to `config.output`: settings.json, checkpoints/, metrics.jsonl, logs/ for TensorBoard, curves.png, and
    model/, a folder for `from_pretrained`, fine-tuning and export, with a model card.

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
        if config.teacher.model:
            model = model.student
        if strategies.is_chief():
            model.save_pretrained(folder / "model", job.tokenizer, overwrite=True)
            write_curves(folder, "pretraining")
            title = FAMILIES[model.family].title or model.family
            write_card(folder / "model", f"{title}, pretrained", job.facts(training, model), scores)
    return scores


class PretrainJob:
    """The records, objective, vocabulary and encoder settings of a pretraining run, checked against each other.

    Attributes:
        objective: an `Objective`.
        sources: a `RecordsSource` per phase.
        tokenizer: that the records were made with.
        strategy: the `tf.distribute.Strategy`.
    """

    def __init__(self, config: PretrainConfig):
        self.config = config
        self.objective = OBJECTIVES[config.objective]
        taught = taught_losses(config.teacher)
        self.sources = []
        for phase in config.all_phases:
            self.sources.append(RecordsSource(phase, config.training, self.objective.outputs, taught))
        self.tokenizer = tokenizer_of(self.sources, config.model)
        self.has_pairs = have_pairs(self.sources, config.objective)
        self.encoder = self._encoder_settings()
        if config.teacher.model:
            check_teacher(config.teacher.model, self.tokenizer, self.encoder["vocab_size"], self.sources)
        self.strategy = strategies.make_strategy(config.training.strategy)
        for source in self.sources:
            # Raises `ConfigError` now rather than when the phase begins.
            rows_per_replica(self.strategy, source.batch_size, config.training.accumulation_steps)

    def make_model(self, training: TrainingConfig) -> Any:
        """Makes a compiled model, with the weights in the folder `model.init` or random ones by the seed.

        With a teacher it is a `PretrainingDistiller`.
        """
        settings = self.config.model
        pretrainer: Any = self.objective.pretrainer
        head = self.objective.arguments(settings)
        # Without an objective the head for pairs is always there, and is not trained where the records have none.
        unused = {} if self.has_pairs or self.config.objective else {"next_sentence": False}
        keras.utils.set_random_seed(training.seed)
        with self.strategy.scope():
            if settings.init:
                model = pretrainer.from_pretrained(settings.init, training.precision, **head)
            else:
                model = pretrainer(dtype=training.precision, **self.encoder, **head)
            if self.config.teacher.model:
                model = with_teacher(model, self.config.teacher, training.precision)
            compile_model(model, training, **unused)
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

    def facts(self, training: TrainingConfig, model: Any) -> dict[str, str | int | None]:
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
            "teacher": self.config.teacher.model,
            "objective": (self.config.objective or "").replace("_", " "),
            "records": ", ".join(records),
            "held out": ", ".join(heldout),
            "steps": f"{training.steps:,}",
            "optimizer": training.describe_optimizer(),
            "computed in": training.precision,
            "seed": training.seed,
        }

    def _encoder_settings(self) -> dict[str, Any]:
        """Arguments of the pretrainer for its encoder: of the config and the vocabulary, or of the model in `init`.

        Raises:
            ConfigError: the family has no such setting or cannot be pretrained, or the records have another vocabulary,
                or longer sequences, than the model.
        """
        model, vocabulary = self.config.model, self.tokenizer.vocabulary
        name = model.encoder or "bert"
        if model.init:
            checkpoint = read_model(model.init)
            name, encoder = checkpoint.family, dataclasses.asdict(checkpoint.encoder)
            if model.encoder not in (None, name):
                raise ConfigError(f"Received: model.encoder={model.encoder!r}. {model.init} holds a {name!r} encoder.")
            for source in self.sources:
                check_vocabulary(source.records, checkpoint.vocabulary or vocabulary, model.init)
        self._check_family(name)
        if not model.init:
            config = FAMILIES[name].config
            encoder = model.encoder_settings() | {"vocab_size": len(vocabulary)}
            if "padding_id" in config.__dataclass_fields__:
                encoder["padding_id"] = self.tokenizer.pad_id
            # Both raise `ConfigError` for impossible values.
            config.of_family(name, encoder)
            get_activation(model.activation)
        if encoder["vocab_size"] < len(vocabulary):
            raise ConfigError(
                f"{model.init} has {encoder['vocab_size']:,} tokens, the records have {len(vocabulary):,}. Rebuild the "
                "records with the model's vocabulary."
            )
        check_lengths(self.sources, encoder["max_positions"])
        return {"encoder": name, **encoder}

    def _check_family(self, name: str) -> None:
        """Raises `ConfigError` for a family that the objective is not for."""
        known = [known for known, family in FAMILIES.items() if self.objective.pretrainer.supports(family)]
        if name not in known:
            objective = f"The objective {self.config.objective}" if self.config.objective else "Pretraining"
            raise ConfigError(f"Received: an encoder of the family {name!r}. {objective} is for {', '.join(known)}.")
