"""google-research/bert's folders: bert_config.json, bert_model.ckpt.*, vocab.txt, written by TensorFlow 1."""

import dataclasses
from pathlib import Path
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.vocabulary import write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    load_json,
    masked_lm_notes,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.formats.base import families_in, family_format, optional_vocabulary
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.schema import all_shapes
from bert_tf.weights.weight_table import read_rows, write_rows

FORMAT = "google"
CONFIG, VOCABULARY, PREFIX = "bert_config.json", "vocab.txt", "bert_model.ckpt"
# State of their optimizer, saved beside the weights.
IGNORED = ("/adam_m", "/adam_v", "output_weights/adam", "output_bias/adam", "beta1_power", "beta2_power")


def holds(folder: Path) -> bool:
    """Whether the folder has a TensorFlow checkpoint that is kept by name."""
    prefix = tf_checkpoint.find(folder)
    return prefix is not None and not tf_checkpoint.has_objects(prefix)


def read_task(folder: Path) -> dict[str, Any]:
    """The task settings that bert_tf kept in bert_config.json; their own files name no task."""
    return read_own(load_json(folder / CONFIG), folder / CONFIG)[1]


def read(folder: Path) -> Checkpoint:
    """Reads a folder of google-research/bert, pretrained or fine-tuned; a broken file raises `InputError`.

    The files do not say whether the vocabulary is cased: it is where any of its tokens has a capital letter.
    """
    settings = load_json(folder / CONFIG)
    family, format = next(iter(families_in(FORMAT).items()))
    encoder = read_encoder(family, format, settings, folder / CONFIG)
    tensors = tf_checkpoint.stored(tf_checkpoint.find(folder))
    weights = read_rows(format.rows(encoder), tensors, all_shapes(family, encoder), IGNORED)
    vocabulary = optional_vocabulary(folder / VOCABULARY)
    text, task = read_own(settings, folder / CONFIG)
    return Checkpoint(family, encoder, weights, text or text_of(vocabulary), vocabulary, task)


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    format = family_format(checkpoint.family, FORMAT)
    settings, notes = write_encoder(checkpoint.family, format, checkpoint.encoder)
    tensors, left_out = write_rows(format.rows(checkpoint.encoder), checkpoint.weights)
    save_json(folder / CONFIG, write_own(settings, checkpoint))
    tf_checkpoint.write_names(folder / PREFIX, tensors)
    if checkpoint.vocabulary:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    return notes + masked_lm_notes(checkpoint) + left_out


def text_of(vocabulary: list[str] | None) -> TextConfig:
    """The `TextConfig` for a vocabulary that came without one: cased where a token has a capital letter."""
    lower_case = True
    for token in vocabulary or ():
        is_special = token[0] == "[" and token[-1] == "]"  # [CLS] and its like are in capitals in every vocabulary
        if not is_special and token != token.lower():
            lower_case = False
            break
    return dataclasses.replace(TextConfig(), lower_case=lower_case)
