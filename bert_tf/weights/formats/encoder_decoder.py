"""Folders of Hugging Face's `EncoderDecoderModel`; all their other folders are huggingface.py's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.registry import families
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    load_json,
    load_optional_json,
    masked_lm_notes,
    member,
    read_encoder,
    save_json,
    write_encoder,
)
from bert_tf.weights.formats import huggingface, huggingface_tokenizer
from bert_tf.weights.formats.base import HuggingFaceFormat, family_format
from bert_tf.weights.formats.huggingface import CONFIG, FORMAT, holds
from bert_tf.weights.io import safetensors
from bert_tf.weights.schema import all_shapes
from bert_tf.weights.weight_table import Row, decoder_rows, read_rows, write_rows

__all__ = ["holds", "read", "read_task", "write"]

MODEL_TYPE, ARCHITECTURE = "encoder-decoder", "EncoderDecoderModel"
GENERATION = "generation_config.json"
# {setting of a task: theirs}
IDS = {"start_id": "decoder_start_token_id", "end_id": "eos_token_id", "pad_id": "pad_token_id"}


def read_task(folder: Path) -> dict[str, Any]:
    """The settings of a decoder, or of the head of another model."""
    settings = load_json(folder / CONFIG)
    if not _is_pair(settings):
        return huggingface.read_task(folder)
    settings |= load_optional_json(folder / GENERATION)  # which overrules, as in transformers
    task: dict[str, Any] = {"architecture": "encoder_decoder"}
    for ours, theirs in IDS.items():
        if settings.get(theirs) is not None:
            task[ours] = member(settings, theirs, 0, folder / CONFIG)
    return task


def read(folder: Path) -> Checkpoint:
    """Reads a folder of transformers; another architecture or a broken file raises `InputError`."""
    settings = load_json(folder / CONFIG)
    if not _is_pair(settings):
        return huggingface.read(folder)
    family, format, encoder = _read_config(settings, "encoder", folder)
    other, _, decoder = _read_config(settings, "decoder", folder)
    if family != other or not format.has_decoder:
        raise InputError(
            f"{folder} has an encoder of the family {family!r} and a decoder of {other!r}. "
            f"Both must be of one family, of those that have decoders: {', '.join(_with_decoders())}."
        )
    if decoder.hidden_size != encoder.hidden_size:
        raise InputError(
            f"{folder} has a decoder with vectors of {decoder.hidden_size} numbers for an encoder with "
            f"{encoder.hidden_size}. They must agree."
        )
    tensors = dict(safetensors.stored(folder))
    tied = {f"decoder.{copy}": f"decoder.{original}" for copy, original in format.tied.items()}
    copies = {name: tensors.pop(name) for name in tied if name in tensors}
    for name, copy in copies.items():
        tensors.setdefault(tied[name], copy)
    shapes = all_shapes(family, encoder, decoder)
    weights = read_rows(_rows(format, encoder, decoder), tensors, shapes, ("position_ids",), ("encoder", "decoder"))
    huggingface.check_tied(copies, tensors, tied)
    text, vocabulary = huggingface_tokenizer.read(folder)
    return Checkpoint(family, encoder, weights, text, vocabulary, read_task(folder), decoder)


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    if not any(name.startswith("decoder/") for name in checkpoint.weights):
        return huggingface.write(checkpoint, folder)
    format: HuggingFaceFormat = family_format(checkpoint.family, FORMAT)
    if not format.has_decoder:
        raise InputError(f"transformers has no decoder of the family {checkpoint.family!r}. Choose the format bert_tf.")
    weights, decoder, notes = checkpoint.weights, checkpoint.decoder, []
    if decoder is None:
        decoder = checkpoint.encoder
        weights = _unshared(weights)
        notes.append("Their code does not share weights of encoder and decoder: those of the encoder are there twice.")
    settings: dict[str, Any] = {"model_type": MODEL_TYPE, "architectures": [ARCHITECTURE], "is_encoder_decoder": True}
    for part, config in (("encoder", checkpoint.encoder), ("decoder", decoder)):
        values, lost = write_encoder(checkpoint.family, format, config)
        is_decoder = part == "decoder"
        own = {"model_type": format.model_type, "is_decoder": is_decoder, "add_cross_attention": is_decoder}
        settings[part] = values | dict(format.constants) | own
        notes += [line for line in lost if line not in notes]
    task = {"pad_id": decoder.padding_id} | checkpoint.task
    ids = {theirs: task.get(ours) for ours, theirs in IDS.items()}
    save_json(folder / CONFIG, settings | ids)
    save_json(folder / GENERATION, ids)
    tensors, left_out = write_rows(_rows(format, checkpoint.encoder, decoder), weights)
    safetensors.write(folder, tensors)
    huggingface_tokenizer.write(folder, checkpoint, format)
    return notes + masked_lm_notes(checkpoint) + left_out


def _with_decoders() -> list[str]:
    formats = {name: family.formats.get(FORMAT) for name, family in families().items()}
    return [name for name, format in formats.items() if format and format.has_decoder]


def _is_pair(settings: Mapping[str, Any]) -> bool:
    return settings.get("model_type") == MODEL_TYPE


def _read_config(settings: dict, part: str, folder: Path) -> tuple[str, HuggingFaceFormat, Any]:
    """The family's name, its format and the config of one of the two parts."""
    values = member(settings, part, {}, folder / CONFIG)
    family, format = huggingface.family_of(values, folder)
    return family, format, read_encoder(family, format, values, folder / CONFIG)


def _rows(format: HuggingFaceFormat, encoder: Any, decoder: Any) -> list[Row]:
    """Rows of both parts: a bare encoder below "encoder.", a causal language model below "decoder."."""
    module = f"{format.module}."
    rows = [
        Row(row.ours, f"encoder.{row.theirs.removeprefix(module)}", row.transform, row.part)
        for row in format.rows(encoder)
        if row.ours.startswith("encoder/")
    ]
    of_decoder = format.rows(decoder)
    rows += decoder_rows(
        of_decoder,
        decoder.num_layers,
        lambda name: f"decoder.{name}",
        lambda name, i: f"decoder.{name}".replace("layer.0.attention.", f"layer.{i}.crossattention."),
    )
    heads = [row for row in of_decoder if row.ours.startswith("masked_lm/")]
    return rows + [Row(row.ours, f"decoder.{row.theirs}", row.transform, row.part) for row in heads]


def _unshared(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights in which the decoder has its own copies of the encoder's."""
    copies = {}
    for name, array in weights.items():
        if name.startswith("encoder/") and not name.startswith("encoder/pooler/"):
            copies[name.replace("encoder/", "decoder/", 1)] = array
    return copies | dict(weights)
