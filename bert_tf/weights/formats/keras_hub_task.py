"""The files of a keras-hub preset beside the backbone's: the tokenizer, and the head of a task."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bert_tf.core import files
from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers import byte_bpe_file, sentencepiece_model
from bert_tf.text.tokenizers.vocabulary import Vocabulary, write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_json, load_optional_json, member, parse, pick, save_json
from bert_tf.weights.formats.base import KerasHubFormat, numbered_labels, optional_vocabulary, task_classes
from bert_tf.weights.formats.google import text_of
from bert_tf.weights.io import hdf5
from bert_tf.weights.schema import Shape, part_of
from bert_tf.weights.weight_table import read_rows, write_rows

TOKENIZER, ASSETS = "tokenizer.json", "assets/tokenizer"
# The vocabulary of WordPiece, of byte-level BPE (beside merges.txt) and of SentencePiece.
VOCABULARY, BYTE_VOCABULARY, PIECES = "vocabulary.txt", "vocabulary.json", "vocabulary.spm"
AS_IT_IS = TextConfig(lower_case=False, strip_accents=False)  # texts are not changed before
TEXT_FIELDS = {"lower_case": "lowercase", "strip_accents": "strip_accents"}
PREPROCESSOR, TASK, WEIGHTS = "preprocessor.json", "task.json", "task.weights.h5"
FORMAT = "keras_hub"


def read_text(folder: Path, format: KerasHubFormat) -> tuple[TextConfig, list[str] | None]:
    """The `TextConfig` and the vocabulary, which is None where there is no tokenizer."""
    path, assets = folder / TOKENIZER, folder / ASSETS
    settings = member(load_optional_json(path), "config", {}, path)
    if (assets / PIECES).exists():
        return AS_IT_IS, sentencepiece_model.read_model(assets / PIECES, format.vocabulary_file)
    if (assets / byte_bpe_file.MERGES).exists():
        prefix = member(settings, "add_prefix_space", False, path)
        files = assets / BYTE_VOCABULARY, assets / byte_bpe_file.MERGES
        return AS_IT_IS, byte_bpe_file.read_pair(*files, add_prefix_space=prefix)
    vocabulary = optional_vocabulary(assets / VOCABULARY)
    if vocabulary is None:
        return TextConfig(), None
    values = pick(settings, TEXT_FIELDS)
    if "lower_case" not in values:
        return text_of(vocabulary), vocabulary
    return parse(TextConfig, values, path), vocabulary


def settings_of_head(folder: Path, format: KerasHubFormat) -> dict[str, Any]:
    """The task settings that the class in task.json implies; {} without one that can be read."""
    kind = _class_of(folder, format)
    if spec := task_classes(FORMAT).get(kind):
        config = member(load_json(folder / TASK), "config", {}, folder / TASK)
        classes = member(config, "num_classes", 0, folder / TASK)
        return {"name": spec.name, "labels": numbered_labels(classes, folder / TASK)}
    if kind is None:
        return {}
    return dict(format.masked_lm)  # the only class with a head that is no task of ours


def read_head(folder: Path, format: KerasHubFormat, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """Our weights of the task's head, checked as by `read_rows`; {} without one that can be read."""
    kind = _class_of(folder, format)
    if kind is None or not (folder / WEIGHTS).exists():
        return {}
    return read_rows(format.heads[kind], hdf5.stored(folder / WEIGHTS), shapes, ("optimizer/",), required=())


def write_text(folder: Path, checkpoint: Checkpoint, format: KerasHubFormat) -> list[str]:
    """Writes the tokenizer's files, nothing without a vocabulary; returns lines as `write` of a format does."""
    vocabulary, text, notes = checkpoint.vocabulary, checkpoint.text, []
    if not vocabulary:
        return []
    if not _has_tokenizer(checkpoint, format):
        return [f"{format.class_prefix}Tokenizer takes no vocabulary of this kind: no tokenizer was written."]
    assets = folder / ASSETS
    assets.mkdir(parents=True)
    if not isinstance(vocabulary, Vocabulary):
        write_vocabulary(assets / VOCABULARY, vocabulary)
    elif vocabulary.file_name == byte_bpe_file.NAME:
        model = byte_bpe_file.parse_model(vocabulary.content)
        save_json(assets / BYTE_VOCABULARY, {token: i for i, token in enumerate(model.tokens)})
        files.write_text(assets / byte_bpe_file.MERGES, "".join(f"{one} {two}\n" for one, two in model.merges))
        if model.compose:
            notes.append("Their tokenizer does not compose characters (NFC), this one does.")
    else:
        (assets / PIECES).write_bytes(vocabulary.content)
        if text.lower_case or text.strip_accents:
            notes.append("Their tokenizer neither lower-cases nor strips accents before its model, this one does.")
    save_json(folder / TOKENIZER, _tokenizer(format, checkpoint))
    return notes


def write_head(folder: Path, checkpoint: Checkpoint, format: KerasHubFormat, backbone: dict) -> set[str]:
    """Writes the files of the task whose head the checkpoint has; returns the parts that they carry."""
    present = {part_of(weight) for weight in checkpoint.weights}
    task = checkpoint.task.get("name")
    for kind, rows in format.heads.items():
        head, spec = part_of(rows[0].ours), task_classes(FORMAT).get(kind)
        if head in present and (spec is None or task in (None, spec.name)):
            _write_task(folder, checkpoint, format, kind, backbone)
            return {part_of(row.ours) for row in rows}
    return set()


def serialized(format: KerasHubFormat, kind: str, settings: dict, dtype: str = "float32") -> dict[str, Any]:
    """The object from which Keras builds an instance of the family's class, "Backbone" of "BertBackbone"."""
    name = format.class_prefix + kind
    module = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("LM", "Lm")).lower()  # bert_masked_lm
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": dtype}, "registered_name": None}
    common = {"name": module, "trainable": True, "dtype": policy}
    return {
        "module": f"keras_hub.src.models.{format.module}.{module}",
        "class_name": name,
        "config": common | settings,
        "registered_name": f"keras_hub>{name}",
    }


def _write_task(folder: Path, checkpoint: Checkpoint, format: KerasHubFormat, kind: str, backbone: dict) -> None:
    tensors, _ = write_rows(format.heads[kind], checkpoint.weights)
    settings: dict[str, Any] = {"backbone": backbone, "preprocessor": None}
    if _has_tokenizer(checkpoint, format):
        length = checkpoint.task.get("max_length", checkpoint.encoder.max_positions)
        tokenizer = _tokenizer(format, checkpoint)
        preprocessor = {"tokenizer": tokenizer, "config_file": PREPROCESSOR, "sequence_length": length}
        settings["preprocessor"] = serialized(format, f"{kind}Preprocessor", preprocessor)
        save_json(folder / PREPROCESSOR, settings["preprocessor"])
    if spec := task_classes(FORMAT).get(kind):
        settings |= {"num_classes": len(checkpoint.weights[f"{spec.head}/bias"]), "activation": "linear"}
    hdf5.write(folder / WEIGHTS, tensors)
    save_json(folder / TASK, serialized(format, kind, settings))


def _class_of(folder: Path, format: KerasHubFormat) -> str | None:
    """The class in task.json without the family's prefix; None without one whose head can be read."""
    name = load_optional_json(folder / TASK).get("class_name")
    for kind in format.heads:
        if name == format.class_prefix + kind:
            return kind
    return None


def _has_tokenizer(checkpoint: Checkpoint, format: KerasHubFormat) -> bool:
    """Whether there is a vocabulary of the kind that their tokenizer of the family takes."""
    name = getattr(checkpoint.vocabulary, "file_name", "vocab.txt")
    return bool(checkpoint.vocabulary) and name == format.vocabulary_file


def _tokenizer(format: KerasHubFormat, checkpoint: Checkpoint) -> dict[str, Any]:
    vocabulary, text = checkpoint.vocabulary, checkpoint.text
    settings: dict[str, Any] = {"config_file": TOKENIZER}
    if not isinstance(vocabulary, Vocabulary):
        strips = text.strip_accents
        if strips is None:  # by default accents go where capitals go, as in BERT; theirs has no such default
            strips = text.lower_case
        settings |= {"vocabulary": None, "lowercase": text.lower_case, "strip_accents": strips}
    elif vocabulary.file_name == byte_bpe_file.NAME:
        settings["add_prefix_space"] = byte_bpe_file.parse_model(vocabulary.content).add_prefix_space
    else:
        settings["proto"] = None
    return serialized(format, "Tokenizer", settings, "int32")
