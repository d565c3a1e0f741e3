"""Hugging Face's folders: config.json, model.safetensors whole or in shards, and the tokenizer's files."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.core.settings import shortened
from bert_tf.text.tokenizers.huggingface import TOKEN_NAMES
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    load_json,
    masked_lm_notes,
    member,
    read_encoder,
    save_json,
    write_encoder,
)
from bert_tf.weights.formats import huggingface_tokenizer, sentence_transformers
from bert_tf.weights.formats.base import (
    HuggingFaceFormat,
    choose,
    families_in,
    family_format,
    numbered_labels,
    task_classes,
)
from bert_tf.weights.io import safetensors
from bert_tf.weights.schema import all_shapes
from bert_tf.weights.weight_table import read_rows, write_rows

FORMAT = "huggingface"
CONFIG = "config.json"
BARE = "Model"  # the encoder alone


def holds(folder: Path) -> bool:
    """Whether the folder has a config.json that names a Hugging Face model, or a safetensors file."""
    named = (folder / CONFIG).exists() and "model_type" in load_json(folder / CONFIG)
    return named or safetensors.exists(folder)


def read_task(folder: Path) -> dict[str, Any]:
    """The task and its labels as the architecture in config.json says, or the pooling of a sentence encoder."""
    settings = load_json(folder / CONFIG)
    architecture, *_ = member(settings, "architectures", [], folder / CONFIG) or [None]
    spec = _spec_of(architecture)
    if spec is None:
        return sentence_transformers.read(folder)
    task: dict[str, Any] = {"name": spec.name}
    if "labels" in spec.settings.__dataclass_fields__:
        task["labels"] = _labels(settings, folder / CONFIG)
    _, format = family_of(settings, folder)
    if format.pooling and "pooling" in spec.settings.__dataclass_fields__:
        task["pooling"] = member(settings, format.pooling, "cls", folder / CONFIG)
    if settings.get("problem_type"):
        task["problem_type"] = settings["problem_type"]
    if length := huggingface_tokenizer.max_length(folder):
        positions = member(format.from_settings(settings), "max_position_embeddings", 512, folder / CONFIG)
        task["max_length"] = min(length, positions)
    return task


def read(folder: Path) -> Checkpoint:
    """Reads a folder of transformers; another architecture or a broken file raises `InputError`."""
    settings = load_json(folder / CONFIG)
    family, format = family_of(settings, folder)
    if settings.get("is_decoder") or settings.get("add_cross_attention"):
        raise InputError(f"{folder} holds a decoder. Only encoders, and decoders with their encoder, can be read.")
    encoder = read_encoder(family, format, settings, folder / CONFIG)
    tensors, copies = _current_names(safetensors.stored(folder), format, encoder)
    rows = format.rows_of(_kind_in(settings, tensors, format), encoder)
    weights = read_rows(rows, tensors, all_shapes(family, encoder))
    check_tied(copies, tensors, format.tied)
    text, vocabulary = huggingface_tokenizer.read(folder)
    if sentence_transformers.lower_cases(folder) and not text.lower_case:
        # Accents stay, because the tokenizer keeps capitals.
        text = dataclasses.replace(text, lower_case=True, strip_accents=bool(text.strip_accents))
    return Checkpoint(family, encoder, weights, text, vocabulary, read_task(folder))


def write(checkpoint: Checkpoint, folder: Path) -> list[str]:
    """Writes the files into `folder`; returns a line for each thing that could not be carried over."""
    format = family_format(checkpoint.family, FORMAT)
    kind, heads = _class_of(checkpoint)
    settings, notes = write_encoder(checkpoint.family, format, checkpoint.encoder)
    architecture = format.class_prefix + kind
    settings |= format.constants
    ids = {token: i for i, token in enumerate(checkpoint.vocabulary or ())}
    settings |= {name: ids.get(TOKEN_NAMES[token]) for name, token in format.token_settings.items()}
    settings |= {"model_type": format.model_type, "architectures": [architecture]}
    if labels := checkpoint.task.get("labels"):
        settings["id2label"], settings["label2id"] = {}, {}
        for i, label in enumerate(labels):
            settings["id2label"][str(i)] = label
            settings["label2id"][label] = i
    if "problem_type" in checkpoint.task:
        settings["problem_type"] = checkpoint.task["problem_type"]
    if format.pooling:
        pooling = checkpoint.task.get("pooling")
        settings[format.pooling] = pooling if pooling in format.poolings else "cls"
    save_json(folder / CONFIG, settings)
    rows = [row for row in format.rows_of(kind, checkpoint.encoder) if row.ours.split("/")[0] in ("encoder", *heads)]
    module = f"{format.module}."
    if kind == BARE:
        rows = [row for row in rows if row.theirs.startswith(module)]
    tensors, left_out = write_rows(rows, checkpoint.weights)
    if kind == BARE:
        tensors = {name.removeprefix(module): tensor for name, tensor in tensors.items()}
    safetensors.write(folder, tensors)
    huggingface_tokenizer.write(folder, checkpoint, format)
    sentence_transformers.write(folder, checkpoint)
    return notes + masked_lm_notes(checkpoint) + left_out


def _spec_of(architecture: Any) -> Any:
    """The `TaskSpec` of a class of any family, None for one that has none."""
    for kind, spec in task_classes(FORMAT).items():
        for format in families_in(FORMAT).values():
            if architecture == format.class_prefix + kind:
                return spec
    return None


def family_of(settings: dict, folder: Path) -> tuple[str, HuggingFaceFormat]:
    """The family of `model_type`; a model that no family computes raises `InputError`."""
    known = {format.model_type: (name, format) for name, format in families_in(FORMAT).items()}
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in known:
        raise InputError(f"{folder} holds a {shortened(kind)} model (model_type). {choose(kind, known)}")
    positions = settings.get("position_embedding_type") or "absolute"
    if positions != "absolute":
        raise InputError(f"{folder} has {positions!r} positions. Only 'absolute' ones can be read.")
    return known[kind]


def _kind_in(settings: dict, tensors: Mapping[str, Any], format: HuggingFaceFormat) -> str | None:
    """The class, without the family's prefix, by config.json, or where it names none by the tensors' names."""
    architecture, *_ = member(settings, "architectures", [], CONFIG) or [""]
    if str(architecture).startswith(format.class_prefix):
        return str(architecture).removeprefix(format.class_prefix)
    for kind, rows in format.class_rows.items():
        if all(row.theirs in tensors for row in rows):
            return kind
    return None


def _current_names(tensors: dict, format: HuggingFaceFormat, encoder: Any) -> tuple[dict, dict]:
    """Their tensors under current names, and apart from them the copies that tie the output embedding to the input."""
    module = f"{format.module}."
    children = set()  # "embeddings", "encoder", "pooler"
    for row in format.rows(encoder):
        if row.theirs.startswith(module):
            children.add(row.theirs.removeprefix(module).split(".")[0])
    renamed = {}
    for name, tensor in tensors.items():
        # Files that were converted from TensorFlow have its names of a layer norm's weights.
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if name.split(".")[0] in children:  # the file of a bare encoder
            name = module + name
        renamed[name] = tensor
    renamed.pop(f"{module}embeddings.position_ids", None)
    copies = {name: renamed.pop(name) for name in format.tied if name in renamed}
    for name, copy in copies.items():
        renamed.setdefault(format.tied[name], copy)
    return renamed, copies


def check_tied(copies: dict, tensors: dict, tied: Mapping[str, str]) -> None:
    """Raises `InputError` for a copy of a tensor that differs from it; `tensors` have been checked."""
    for name, copy in copies.items():
        original = tensors[tied[name]]
        if copy.shape != original.shape or (copy.read() != original.read()).any():
            raise InputError(f"{name} differs from {tied[name]}. Only tied output embeddings can be read.")


def _class_of(checkpoint: Checkpoint) -> tuple[str, tuple[str, ...]]:
    """The class, without the family's prefix, that opens most of the checkpoint, and the heads that it has."""
    present = {name.split("/")[0] for name in checkpoint.weights} - {"encoder"}
    for kind, heads in family_format(checkpoint.family, FORMAT).pretraining.items():
        if set(heads) <= present:
            return kind, heads
    for kind, spec in task_classes(FORMAT).items():
        if spec.head in present and checkpoint.task.get("name") == spec.name:
            return kind, (spec.head,)
    return BARE, ()


def _labels(settings: dict, path: Path) -> list[str]:
    names = member(settings, "id2label", {}, path)
    if not names:  # the default, which transformers does not write
        return numbered_labels(member(settings, "num_labels", 2, path), path)
    numbers = [str(i) for i in range(len(names))]
    if set(names) != set(numbers):
        raise InputError(f"{path}: id2label does not number its {len(names)} labels from 0.")
    return [names[number] for number in numbers]
