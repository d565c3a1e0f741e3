"""The model that a fine-tuning run starts from."""

import dataclasses
from typing import Any

import keras

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import Examples
from bert_tf.modeling.families import FAMILIES
from bert_tf.tasks import TASKS
from bert_tf.training.config import TrainingConfig
from bert_tf.training.optimizers.layerwise import freeze
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.weights import read_model
from bert_tf.weights.checkpoint import Checkpoint


def with_labels(config: FinetuneConfig, train: Examples) -> FinetuneConfig:
    """The config with the labels of the training examples, if it names none and the task has labels."""
    settings = config.model.settings()
    if settings.get("labels") or train.targets is None:
        return config
    targets = TASKS[config.task].load("targets")(settings, config.data.separator)
    labels = targets.find_labels(train)
    if labels is None:
        return config
    model: Any = config.model  # of a class that has the task's settings too
    return dataclasses.replace(config, model=dataclasses.replace(model, labels=tuple(labels)))


def make_model(config: FinetuneConfig, training: TrainingConfig, encoder: Any = None) -> keras.Model:
    """Makes the task model of a config, not compiled, with its lowest layers frozen if the config says so.

    Args:
        config: its `model.init` is a folder of any format.
        training: gives the precision.
        encoder: that of another task, to be shared; the head gets new random weights. None: the one of `model.init`.

    Raises:
        ConfigError: the config's sizes differ from those of the encoder.
        InputError: the folder has no vocabulary.
    """
    task, init = TASKS[config.task].load("model"), config.model.init
    settings = config.model.settings()
    checkpoint = read_model(init)
    if checkpoint.vocabulary is None:
        raise InputError(f"{init} has no vocabulary, which a task model needs to read text. Add its vocabulary file.")
    tokenizer = FAMILIES[checkpoint.family].make_tokenizer(checkpoint.vocabulary, checkpoint.text)
    if encoder:
        model = task(tokenizer, dtype=training.precision, encoder=encoder, **settings)
    elif config.model.fresh:
        model = task(tokenizer, dtype=training.precision, **(_sizes_for(checkpoint, settings) | settings))
    else:
        _check_sizes(settings, checkpoint, init)
        model = task.from_checkpoint(checkpoint, init, training.precision, **settings)
    if config.freeze_layers is not None:
        freeze(model, config.freeze_layers)
    return model


def _sizes_for(checkpoint: Checkpoint, settings: dict) -> dict:
    """The checkpoint's encoder settings that the family in `settings`, or its own, has too."""
    family = settings.get("encoder", checkpoint.family)
    found = dataclasses.asdict(checkpoint.encoder.uniform())
    sizes = {"encoder": family}
    for field in dataclasses.fields(FAMILIES[family].config):
        if field.name in found:
            sizes[field.name] = found[field.name]
    return sizes


def _check_sizes(settings: dict, checkpoint: Checkpoint, init: str) -> None:
    """Raises `ConfigError` if `settings` asks for another encoder than the checkpoint's."""
    found = {"encoder": checkpoint.family, **dataclasses.asdict(checkpoint.encoder)}
    for name in ("encoder", "hidden_size", "num_layers", "num_heads"):
        if settings.get(name, found[name]) != found[name]:
            raise ConfigError(
                f"Received: model.{name}={settings[name]}; the encoder in {init} has {found[name]}. "
                "Set model.fresh=true to train an encoder of other sizes from random weights."
            )
