"""Folders of google-research (BERT, ALBERT, ELECTRA): settings, a checkpoint of TensorFlow 1, a vocabulary."""

import dataclasses
from pathlib import Path
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers import sentencepiece_model
from bert_tf.text.tokenizers.vocabulary import Vocabulary, write_vocabulary
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
from bert_tf.weights.formats.base import GoogleFormat, StoredArrays, families_in, family_format, optional_vocabulary
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.schema import all_shapes
from bert_tf.weights.weight_table import read_rows, write_rows

FORMAT = "google"
VOCABULARY = "vocab.txt"
# State of their optimizer, saved beside the weights.
IGNORED = ("/adam_m", "/adam_v", "output_weights/adam", "output_bias/adam", "beta1_power", "beta2_power")


def holds(folder: Path) -> bool:
    """Whether the folder has a TensorFlow checkpoint that is kept by name."""
    prefix = tf_checkpoint.find(folder)
    return prefix is not None and not tf_checkpoint.has_objects(prefix)


def read_task(folder: Path) -> dict[str, Any]:
    """The task settings that bert_tf kept in the file of settings; their own files name no task."""
    settings, path = _settings(folder)
    return read_own(settings, path)[1]


def read(folder: Path) -> Checkpoint:
    """Reads a folder of google-research, pretrained or fine-tuned; a broken file raises `InputError`.

    The files do not say whether the vocabulary is cased: it is where any of its tokens has a capital letter.
    """
    tensors = tf_checkpoint.stored(tf_checkpoint.find(folder))
    family, format = _family_of(tensors)
    settings, path = _settings(folder)
    settings = format.complete(settings, tensors)
    if not settings:
        raise InputError(f"{folder / format.config} is missing.")
    encoder = read_encoder(family, format, settings, path)
    rows, shapes = format.rows(encoder), all_shapes(family, encoder)
    weights = read_rows(rows, format.from_tensors(tensors, settings), shapes, IGNORED)
    vocabulary = _vocabulary(folder, format)
    text, task = read_own(settings, path)
    return Checkpoint(family, encoder, weights, text or text_of(vocabulary), vocabulary, task)


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    format = family_format(checkpoint.family, FORMAT)
    settings, notes = write_encoder(checkpoint.family, format, checkpoint.encoder)
    tensors, left_out = write_rows(format.rows(checkpoint.encoder), checkpoint.weights)
    save_json(folder / format.config, write_own(settings, checkpoint))
    tf_checkpoint.write_names(folder / format.prefix, format.to_tensors(tensors))
    vocabulary = checkpoint.vocabulary
    if format.pieces and isinstance(vocabulary, Vocabulary) and vocabulary.file_name == sentencepiece_model.NAME:
        (folder / format.pieces).write_bytes(vocabulary.content)
    elif vocabulary:
        write_vocabulary(folder / VOCABULARY, vocabulary)
    return notes + masked_lm_notes(checkpoint) + left_out


def _family_of(tensors: StoredArrays) -> tuple[str, GoogleFormat]:
    """The family that the names of weights tell; BERT, which lists them as unknown, where they tell none."""
    known = families_in(FORMAT)
    for family, format in known.items():
        if any(name.startswith(format.marker) for name in tensors):
            return family, format
    return "bert", known["bert"]


def _settings(folder: Path) -> tuple[dict, Path]:
    """The settings and their file, whichever project it is named after; {} without one."""
    for format in families_in(FORMAT).values():
        if (folder / format.config).exists():
            return load_json(folder / format.config), folder / format.config
    return {}, folder


def _vocabulary(folder: Path, format: GoogleFormat) -> list[str] | None:
    """The vocabulary of a folder, where ALBERT's have names of their own; None without one."""
    pieces = sorted(folder.glob("*.model"))
    if format.pieces and pieces:
        return sentencepiece_model.read_model(pieces[0])
    return optional_vocabulary(min(folder.glob("vocab*.txt"), default=folder / VOCABULARY))


def text_of(vocabulary: list[str] | None) -> TextConfig:
    """The `TextConfig` for a vocabulary that came without one: cased where a token has a capital letter."""
    lower_case = True
    for token in vocabulary or ():
        is_special = token[0] == "[" and token[-1] == "]"  # [CLS] and its like are in capitals in every vocabulary
        if not is_special and token != token.lower():
            lower_case = False
            break
    return dataclasses.replace(TextConfig(), lower_case=lower_case)
