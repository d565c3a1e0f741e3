"""TF Model Garden's checkpoints of `BertPretrainerV2`, `BertEncoderV2` and its trainer: ckpt-N.* and a JSON config."""

from pathlib import Path
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    OWN,
    load_json,
    member,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.formats import zero_pooler
from bert_tf.weights.formats.base import families_in, family_format, optional_vocabulary
from bert_tf.weights.formats.google import text_of
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.schema import Shape, all_shapes
from bert_tf.weights.weight_table import Row, read_rows, write_rows

FORMAT = "model_garden"
CONFIGS, VOCABULARY, PREFIX = ("config.json", "bert_config.json"), "vocab.txt", "ckpt"
SHARED = "masked_lm/embedding_table"  # path by which the masked LM head has the token embedding
# Paths of the same parts in checkpoints of their trainer, which saves the whole model and not its `checkpoint_items`.
TRAINER = {
    "encoder/": "model/encoder_network/",
    "masked_lm/": "model/masked_lm/",
    "next_sentence.pooler_dense/": "model/classification_heads/0/dense/",
    "next_sentence.out_proj/": "model/classification_heads/0/out_proj/",
}
IGNORED = ("optimizer/", "_CHECKPOINTABLE", "train_loss", SHARED)


def holds(folder: Path) -> bool:
    """Whether the folder has a checkpoint of TensorFlow objects."""
    prefix = tf_checkpoint.find(folder)
    return prefix is not None and tf_checkpoint.has_objects(prefix)


def read_task(folder: Path) -> dict[str, Any]:
    """The task settings that bert_tf kept in the config, else the activation of the masked LM head."""
    settings, path = _settings(folder)
    if OWN in settings or "mlm_activation" not in settings:
        return read_own(settings, path)[1]
    return {"masked_lm_activation": member(settings, "mlm_activation", "", path) or "linear"}


def read(folder: Path) -> Checkpoint:
    """Reads the checkpoint with the config beside it; `InputError` where either is missing or broken."""
    settings, path = _settings(folder)
    family, format = next(iter(families_in(FORMAT).items()))
    settings = dict(format.defaults) | settings
    encoder = read_encoder(family, format, settings, path)
    weights = zero_pooler.drop_empty(
        _one_pooler(_read_weights(folder, format.rows(encoder), all_shapes(family, encoder)))
    )
    vocabulary = optional_vocabulary(folder / VOCABULARY)
    text, _ = read_own(settings, path)
    return Checkpoint(family, encoder, weights, text or text_of(vocabulary), vocabulary, read_task(folder))


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    format = family_format(checkpoint.family, FORMAT)
    settings, notes = write_encoder(checkpoint.family, format, checkpoint.encoder)
    rows = format.rows(checkpoint.encoder)
    weights, missing = zero_pooler.fill(checkpoint, rows)
    if "next_sentence/kernel" in weights:
        # Their next sentence head has a pooler of its own, ours uses the encoder's: the head gets a copy of it.
        copy = {
            "next_sentence_pooler/kernel": weights["encoder/pooler/kernel"],
            "next_sentence_pooler/bias": weights["encoder/pooler/bias"],
        }
        weights = copy | weights
    tensors, left_out = write_rows(rows, weights)
    empty = list(format.empty)
    for i in range(checkpoint.encoder.num_layers):
        for path in format.empty_in_block:
            empty.append(path.replace("{i}", str(i)))
    shared = {}
    if "masked_lm/bias" in weights:
        shared[SHARED] = format.token_table
    tf_checkpoint.write_objects(folder / PREFIX, tensors, shared, empty)
    save_json(folder / CONFIGS[0], write_own(settings, checkpoint))
    if checkpoint.vocabulary:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    return notes + missing + left_out


def _settings(folder: Path) -> tuple[dict, Path]:
    for name in CONFIGS:
        if (folder / name).exists():
            return load_json(folder / name), folder / name
    raise InputError(f"{folder} has a checkpoint and no {' or '.join(CONFIGS)}, which say what it holds.")


def _read_weights(folder: Path, rows: list[Row], shapes: dict[str, Shape]) -> dict[str, np.ndarray]:
    prefix = tf_checkpoint.find(folder)
    paths = [row.theirs for row in rows]
    tensors = tf_checkpoint.stored_objects(prefix, paths)
    if any(name.startswith("model/") for name in tensors):
        # A checkpoint of their trainer: the same variables at other paths, renamed after reading.
        usual = {_trainer_path(path): path for path in paths}
        found = tf_checkpoint.stored_objects(prefix, usual)
        tensors = {usual.get(name, name): tensor for name, tensor in found.items()}
    return read_rows(rows, tensors, shapes, IGNORED)


def _trainer_path(path: str) -> str:
    """The path in a checkpoint of their trainer of a variable at `path` in the usual ones."""
    for start, trainer_start in TRAINER.items():
        if path.startswith(start):
            return trainer_start + path.removeprefix(start)
    raise KeyError(path)  # a row of the table that TRAINER does not cover


def _one_pooler(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights with one pooler, as our models have it, where theirs have two.

    In their pretraining only the pooler of the next sentence head is trained; nothing uses the encoder's. So it
    becomes the encoder's where the whole head is there; without the head's output it is kept beside it if it differs.
    """
    kernel = weights.pop("next_sentence_pooler/kernel", None)
    bias = weights.pop("next_sentence_pooler/bias", None)
    if kernel is None:
        return weights
    if "next_sentence/kernel" in weights:
        return weights | {"encoder/pooler/kernel": kernel, "encoder/pooler/bias": bias}
    same_kernel = np.array_equal(weights.get("encoder/pooler/kernel"), kernel)
    same_bias = np.array_equal(weights.get("encoder/pooler/bias"), bias)
    if same_kernel and same_bias:
        return weights
    return weights | {"next_sentence_pooler/kernel": kernel, "next_sentence_pooler/bias": bias}
