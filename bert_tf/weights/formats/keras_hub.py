"""keras-hub's presets: config.json, model.weights.h5, the tokenizer's files, and a task's if there is one."""

from pathlib import Path
from typing import Any

import numpy as np

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.core.settings import shortened
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    OWN,
    load_json,
    masked_lm_notes,
    member,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.formats import keras_hub_task, zero_pooler
from bert_tf.weights.formats.base import KerasHubFormat, choose, families_in, family_format
from bert_tf.weights.io import hdf5
from bert_tf.weights.schema import all_shapes
from bert_tf.weights.weight_table import read_rows, write_rows

FORMAT = "keras_hub"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def holds(folder: Path) -> bool:
    """Whether the folder's config.json is of a class of keras-hub."""
    return (folder / CONFIG).exists() and "keras_hub" in str(load_json(folder / CONFIG).get("module"))


def read_task(folder: Path) -> dict[str, Any]:
    """The task settings that bert_tf kept in config.json, else those that the class in task.json implies."""
    settings = load_json(folder / CONFIG)
    if OWN in settings:
        return read_own(settings, folder / CONFIG)[1]
    return keras_hub_task.settings_of_head(folder, _family_of(settings, folder)[1])


def read(folder: Path) -> Checkpoint:
    """Reads a preset of a backbone, with the head if it is one of a task; `InputError` says what is wrong."""
    settings = load_json(folder / CONFIG)
    family, format = _family_of(settings, folder)
    theirs = member(settings, "config", {}, folder / CONFIG) | {OWN: settings.get(OWN)}
    # Their one dropout is both of ours.
    encoder = read_encoder(family, format, theirs, folder / CONFIG, attention_dropout=theirs.get("dropout", 0.1))
    shapes = all_shapes(family, encoder)
    tensors = hdf5.stored(folder / WEIGHTS)
    weights = zero_pooler.drop_empty(read_rows(format.rows(encoder), tensors, shapes, tuple(format.foreign(encoder))))
    weights = format.from_weights(weights) | keras_hub_task.read_head(folder, format, shapes)
    text, vocabulary = read_tokenizer(folder)
    return Checkpoint(family, encoder, weights, text, vocabulary, read_task(folder))


def read_tokenizer(folder: Path) -> tuple[TextConfig, list[str] | None]:
    """The `TextConfig` and the vocabulary of a preset, which is None where there is no tokenizer."""
    settings = load_json(folder / CONFIG)
    text, vocabulary = keras_hub_task.read_text(folder, _family_of(settings, folder)[1])
    own_text, _ = read_own(settings, folder / CONFIG)
    return own_text or text, vocabulary


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    encoder, format = checkpoint.encoder, family_format(checkpoint.family, FORMAT)
    if encoder.activation not in format.similar_activations:
        raise InputError(f"keras-hub's encoder computes gelu only; this model has {encoder.activation!r}.")
    settings, notes = write_encoder(checkpoint.family, format, encoder, attention_dropout=encoder.hidden_dropout)
    own = settings.pop(OWN, {})
    backbone = keras_hub_task.serialized(format, "Backbone", settings)
    save_json(folder / CONFIG, write_own(backbone | {OWN: own}, checkpoint))
    rows = format.rows(encoder)
    weights, missing = zero_pooler.fill(checkpoint, rows)
    tensors, left_out = write_rows(rows, format.to_weights(weights))
    for name, shape in format.foreign(encoder).items():
        tensors[name] = np.zeros(shape, "float32")
    hdf5.write(folder / WEIGHTS, tensors)
    notes += keras_hub_task.write_text(folder, checkpoint, format)
    carried = keras_hub_task.write_head(folder, checkpoint, format, backbone)
    if "masked_lm" in carried:
        notes += masked_lm_notes(checkpoint, **format.masked_lm)
    # The backbone's file has no place for the head, but the task's has: its line would be wrong.
    lost = [line for line in left_out if line.split()[0] not in carried]
    return notes + missing + lost


def _family_of(settings: dict, folder: Path) -> tuple[str, KerasHubFormat]:
    """The family whose backbone config.json names; another class raises `InputError`."""
    known, kind = families_in(FORMAT), settings.get("class_name")
    for name, format in known.items():
        if kind == f"{format.class_prefix}Backbone":
            return name, format
    backbones = [f"{format.class_prefix}Backbone" for format in known.values()]
    raise InputError(f"{folder} is a preset of {shortened(kind)} (class_name). {choose(kind, backbones)}")
