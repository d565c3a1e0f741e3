"""Pretraining from a config: checked, settled, trained, and what it leaves."""

import dataclasses
import functools
import itertools
import pathlib

import keras

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training import resolved_config
from bert_tf.training.compile_model import StepTimer, compile_model
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.phases import distribute, rows_a_replica
from bert_tf.training.model_card import write_card, write_curves
from bert_tf.training.recipes.pretraining_data import (
    Source,
    check_lengths,
    check_vocabulary,
    have_next_sentence,
    vocabulary_of,
)
from bert_tf.training.trainer import train
from bert_tf.weights import read_model

_TIMED_STEPS = 12


def pretrain(config):
    """Trains masked LM and next sentence prediction as a `PretrainConfig` says, or goes on with such a run.

    Leaves in `config.output`: settings.json, checkpoints/, metrics.jsonl, logs/ for TensorBoard, curves.png, and
    model/, a folder for `BertPretrainer.from_pretrained`, fine-tuning and export, with a model card.

    Returns:
        The figures on held-out data after the last step. `ConfigError` where the config cannot be, before any work.
    """
    config.check()
    strategies.check_cluster()
    sources = [Source(phase, config.training) for phase in config.all_phases]
    vocabulary = vocabulary_of(sources, config.model)
    encoder = _encoder_settings(config.model, vocabulary.vocabulary, sources)
    next_sentence = have_next_sentence(sources)
    strategy = strategies.make_strategy(config.training.strategy)
    for source in sources:
        rows_a_replica(strategy, source.phase.batch_size, config.training.accumulation_steps)
    folder = pathlib.Path(config.output)

    def build(training):
        keras.utils.set_random_seed(training.seed)
        with strategy.scope():
            if config.model.init:
                model = BertPretrainer.from_pretrained(config.model.init, training.precision)
            else:
                model = BertPretrainer(dtype=training.precision, **encoder)
            compile_model(model, training, next_sentence=next_sentence)
        return model

    training = resolved_config.settle(
        config, folder, strategy, lambda training: _seconds_a_step(build(training), sources)
    )
    model = build(training)
    run = train(model, _phases(sources, training.steps), training, folder)
    if strategies.worker()[0] == 0:
        model.save_pretrained(folder / "model", vocabulary, overwrite=True)
        write_curves(folder, "pretraining")
        write_card(folder / "model", "BERT, pretrained", _facts(config, training, model, sources), run.scores)
    return run.scores


def _encoder_settings(model, pieces, sources):
    """Arguments of the encoder: those of the config and of the vocabulary, or those that `model.init` has."""
    if model.init:
        checkpoint = read_model(model.init)
        encoder = dataclasses.asdict(checkpoint.encoder)
        for source in sources:
            check_vocabulary(source.records, checkpoint.vocabulary or pieces, model.init)
    else:
        others = ("init", "vocabulary", "lower_case")
        encoder = {name: value for name, value in dataclasses.asdict(model).items() if name not in others}
        encoder["intermediate_size"] = model.intermediate_size or 4 * model.hidden_size
        encoder["vocab_size"] = len(pieces)
        BertConfig(**encoder)  # checks the sizes
        get_activation(model.activation)
    if encoder["vocab_size"] < len(pieces):
        raise ConfigError(f"{model.init} has {encoder['vocab_size']:,} pieces, the records have {len(pieces):,}.")
    check_lengths(sources, encoder["max_positions"])
    return encoder


def _facts(config, training, model, sources):
    """What a reader of the model's card wants to know of how it came about."""
    encoder = model.config
    return {
        "encoder": f"{encoder.num_layers} layers, {encoder.hidden_size} wide, {encoder.num_heads} heads",
        "parameters": f"{model.count_params():,}",
        "vocabulary": f"{encoder.vocab_size:,} pieces",
        "begun from": config.model.init,
        "records": ", ".join(
            f"{source.phase.records} ({len(source.records):,} examples, {source.phase.batch_size} a batch)"
            for source in sources
        ),
        "held out": ", ".join(source.phase.heldout for source in sources if source.heldout),
        "steps": f"{training.steps:,}",
        "optimizer": f"{training.optimizer}, {training.learning_rate:g}, {training.schedule}",
        "computed in": training.precision,
        "seed": training.seed,
    }


def _phases(sources, steps):
    """The phases, each with its share of the steps."""
    ends = [round(steps * share) for share in itertools.accumulate(source.phase.share for source in sources)]
    begins = [0, *ends[:-1]]
    return [source.phase_of(end - begin) for source, begin, end in zip(sources, begins, ends, strict=True)]


def _seconds_a_step(model, sources):
    """The time of a step, each source's by its share, measured on a model that is thrown away."""
    total = 0.0
    for source in sources:
        rows = rows_a_replica(model.distribute_strategy, source.phase.batch_size)
        data = distribute(model.distribute_strategy, functools.partial(source.read, start=0), rows)
        timer = StepTimer()
        model.fit(data, steps_per_epoch=_TIMED_STEPS, shuffle=False, verbose=0, callbacks=[timer])
        total += source.phase.share * timer.seconds
    return total
