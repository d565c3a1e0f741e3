"""bert_tf's own model folder: config.json, vocabulary, and a weights file that Keras's `load_weights` opens too."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.core.registry import families, tasks
from bert_tf.core.settings import shortened
from bert_tf.text.tokenizers.vocabulary_files import read_folder, write_folder
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_json, load_optional_json, member, parse, save_json
from bert_tf.weights.formats.base import choose, family_format
from bert_tf.weights.io import hdf5
from bert_tf.weights.schema import all_shapes, part_of
from bert_tf.weights.weight_table import Row, decoder_rows, keras_dense, keras_norm, read_rows, write_rows

FORMAT = "bert_tf"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
# Heads that are not one dense layer. Keras puts layers whose attribute sorts after the word "layers" into a group of
# that name, and names them after their class there.
MASKED_LM_TRANSFORM = [
    *keras_dense("masked_lm/transform", "layers/masked_lm_head/transform"),
    *keras_norm("masked_lm/norm", "layers/masked_lm_head/norm"),
]
DEEP_HEADS = {
    "masked_lm": [Row("masked_lm/bias", "layers/masked_lm_head/vars/0")],
    "image_features": [
        row
        for i in range(4)
        for row in (
            Row(f"image_features/conv_{i}/kernel", f"image_features/conv_{i}/vars/0"),
            *keras_norm(f"image_features/norm_{i}", f"image_features/norm_{i}"),
        )
    ],
    "inverse_temperature": [Row("inverse_temperature/bias", "inverse_temperature/vars/0")],
    "replaced_token": [
        *keras_dense("replaced_token/transform", "layers/replaced_token_head/transform"),
        *keras_dense("replaced_token/output", "layers/replaced_token_head/output_dense"),
    ],
}
# A network of the user: its weights keep their names.
BACKBONE = "image_features/backbone/"
LATE_DENSE = "layers/dense"
FOREIGN = {"next_sentence_pooler"}  # parts of other projects' models that ours do not have


def holds(folder: Path) -> bool:
    """Whether its config.json is ours: it has an "encoder", and no "model_type", which those of transformers have."""
    settings = load_optional_json(folder / CONFIG)
    return "encoder" in settings and "model_type" not in settings


def read_task(folder: Path) -> dict[str, Any]:
    """The settings of the head in config.json, {} where it names none."""
    return member(load_json(folder / CONFIG), "task", {}, folder / CONFIG)


def read(folder: Path) -> Checkpoint:
    """Reads a folder that `write` wrote; `InputError` says what is missing or broken."""
    settings = load_json(folder / CONFIG)
    family, encoder = _read_encoder(settings, folder / CONFIG)
    text = parse(TextConfig, member(settings, "text", {}, folder / CONFIG), folder / CONFIG)
    vocabulary = read_folder(folder)
    tensors = hdf5.stored(folder / WEIGHTS)
    if not any(name.startswith("encoder/") for name in tensors):  # an encoder saved by itself
        tensors = {f"encoder/{name}": tensor for name, tensor in tensors.items()}
    task = read_task(folder)
    heads = _heads_in(tensors, r"(\w+)/vars/[01]")
    if any(name.startswith(f"{LATE_DENSE}/") for name in tensors):
        heads.add(_late_head(task))
    decoder = None
    if values := member(settings, "decoder", {}, folder / CONFIG):
        decoder = parse(families()[family].config, values, folder / CONFIG)
    rows, shapes = _rows(family, encoder, heads, tensors), all_shapes(family, encoder, decoder)
    if any(name.startswith("decoder/") for name in tensors):
        rows += _decoder_rows(family, encoder, decoder)
    weights = read_rows(rows, tensors, shapes, ("seed_generator", "optimizer/"))
    return Checkpoint(family, encoder, weights, text, vocabulary, task, decoder)


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    heads = _heads_in(checkpoint.weights, r"(\w+)/(?:kernel|bias)")
    rows = _rows(checkpoint.family, checkpoint.encoder, heads - FOREIGN, checkpoint.weights)
    rows += _decoder_rows(checkpoint.family, checkpoint.encoder, checkpoint.decoder)
    tensors, left_out = write_rows(rows, checkpoint.weights)
    known = {row.ours for row in rows}
    lost = sorted(name for name in checkpoint.weights if name not in known and part_of(name) not in FOREIGN)
    if lost:
        raise ValueError(f"{', '.join(lost[:4])} would be lost: a head is one dense layer, or has rows in {__name__}.")
    if all(name.startswith("encoder/") for name in tensors):  # as Keras saves an encoder by itself
        tensors = {name.removeprefix("encoder/"): tensor for name, tensor in tensors.items()}
    write_settings(checkpoint, folder)
    write_folder(folder, checkpoint.vocabulary)
    hdf5.write(folder / WEIGHTS, tensors)
    return left_out


def write_settings(checkpoint: Checkpoint, folder: Path) -> None:
    """Writes config.json: the settings of encoder, tokenizer and task."""
    settings = {
        "family": checkpoint.family,
        "encoder": checkpoint.encoder.to_json(),
        "text": checkpoint.text.to_json(),
        "task": checkpoint.task,
    }
    if checkpoint.decoder:
        settings["decoder"] = checkpoint.decoder.to_json()
    save_json(folder / CONFIG, settings)


def _read_encoder(settings: dict, path: Path) -> tuple[str, Any]:
    """The family's name and the encoder's config."""
    values = dict(member(settings, "encoder", {}, path))
    family = member(settings, "family", "", path)
    if not family:  # version 0.1 kept the family's name among the sizes
        family = member(values, "encoder", "bert", path)
        values.pop("encoder", None)
    if family not in families():
        raise InputError(f"{path} holds a {shortened(family)} model (family). {choose(family, families())}")
    ignored = family_format(family, FORMAT).ignored_fields
    values = {name: value for name, value in values.items() if name not in ignored}
    return family, parse(families()[family].config, values, path)


def _heads_in(names: Iterable[str], pattern: str) -> set[str]:
    """Names of the dense heads, group 1 of `pattern`, among names of weights."""
    heads = set()
    for name in names:
        if match := re.fullmatch(pattern, name):
            heads.add(match[1])
    return heads


def _rows(family: str, encoder: Any, dense_heads: Iterable[str], names: Iterable[str]) -> list[Row]:
    """The table for weights or tensors of these `names`."""
    backbone = [Row(name, name) for name in names if name.startswith(BACKBONE)]
    heads = DEEP_HEADS | ({"image_features": backbone} if backbone else {})
    rows = family_format(family, FORMAT).rows(encoder) + sum(heads.values(), [])
    if not families()[family].encoder.has_token_head:
        rows += MASKED_LM_TRANSFORM
    for name in sorted(set(dense_heads) - set(DEEP_HEADS)):
        is_late = name >= "layers"  # see MASKED_LM_TRANSFORM
        rows += keras_dense(name, LATE_DENSE if is_late else name)
    return rows


def _decoder_rows(family: str, encoder: Any, decoder: Any) -> list[Row]:
    """The rows of a decoder; without a config of its own, `decoder`, it has cross-attention alone."""

    def stack(path):
        return path.replace("encoder/", "decoder/", 1)

    def cross(path, i):
        number = f"_{i}" if i else ""
        return path.replace("encoder/blocks/transformer_block/", f"decoder/crosses/cross_attention{number}/")

    config = decoder or encoder
    return decoder_rows(family_format(family, FORMAT).rows(config), config.num_layers, decoder and stack, cross)


def _late_head(task: dict[str, Any]) -> str:
    """The dense head that a file keeps under `LATE_DENSE`: that of its task, else the one from pretraining."""
    name = member(task, "name", "", CONFIG)
    head = ""
    if name and name in tasks():
        head = getattr(tasks()[name], "head", "")
    if head > "layers" and head not in DEEP_HEADS:
        return head
    return "next_sentence"
