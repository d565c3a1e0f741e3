"""Declarations of an encoder family for each format: rows of weights, names of settings, names of classes."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.core.registry import families, tasks
from bert_tf.text.tokenizers.vocabulary import read_vocabulary
from bert_tf.weights.io.stored_array import StoredArray
from bert_tf.weights.weight_table import Row

Weights = dict[str, np.ndarray]
StoredArrays = Mapping[str, StoredArray]
MAX_LABELS = 2**20  # checked before names are made for them


@dataclasses.dataclass(frozen=True)
class FamilyFormat:
    """How a format holds an encoder family.

    Attributes:
        rows: from the encoder's config to the `Row`s of its weights and of the heads that the format has a place for.
        fields: {our setting: their setting}.
        activations: {their activation: ours} where names differ; of several for one of ours the first is written.
        fixed: {our setting: the value that their code always computes with and that their files do not name}.
        ignored_fields: settings in files that are not read.
        from_settings: their settings as this declaration names them; `InputError` for a model that is not computed.
        to_settings: the inverse, for settings that are not one value under one name.
        poolings: what a classifier may read: "cls", the pooler's vector, and others.
    """

    rows: Callable[[Any], list[Row]]
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    activations: Mapping[str | None, str] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ignored_fields: tuple[str, ...] = ()
    from_settings: Callable[[dict], dict] = dict
    to_settings: Callable[[dict], dict] = dict
    poolings: tuple[str, ...] = ("cls",)


@dataclasses.dataclass(frozen=True, kw_only=True)
class HuggingFaceFormat(FamilyFormat):
    """A family in transformers.

    Attributes:
        model_type: in config.json.
        class_prefix: what the names of its classes begin with, "Bert" of "BertForMaskedLM".
        module: name of the encoder inside a model with a head, "bert" of "bert.embeddings..."; the files of a bare
            encoder leave it out.
        tied: {name of a tensor that repeats another: name of that one}.
        class_rows: {class, without the prefix: rows that hold in its files instead of those of `rows` with the same
            names}.
        pretraining: {class of pretraining, without the prefix: the heads that it opens}; the first whose heads are all
            there is written.
        constants: settings that are written as they are.
        pooling: name of the setting that says which of `poolings` a classifier reads; None without one.
        token_settings: {setting: the special token whose id it is, by its name in `TOKEN_NAMES`}, null where it lacks.
        has_decoder: whether its blocks can have a cross-attention in transformers.
    """

    model_type: str
    class_prefix: str
    module: str
    tied: Mapping[str, str] = dataclasses.field(default_factory=dict)
    class_rows: Mapping[str, list[Row]] = dataclasses.field(default_factory=dict)
    pretraining: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pooling: str | None = None
    token_settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    has_decoder: bool = False

    def rows_of(self, kind: str | None, config: Any) -> list[Row]:
        """The rows that hold in the files of a class, whose name `kind` is without the prefix."""
        replaced = self.class_rows.get(kind or "", [])
        ours, theirs = {row.ours for row in replaced}, {row.theirs for row in replaced}
        kept = [row for row in self.rows(config) if row.ours not in ours and row.theirs not in theirs]
        return kept + list(replaced)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoogleFormat(FamilyFormat):
    """A family in the projects of google-research.

    Attributes:
        marker: what the name of a weight begins with in the files of no other family.
        config: name of the file of settings.
        prefix: name of the checkpoint's files, without their endings.
        pieces: name of the SentencePiece model; None: the family has none.
        complete: their settings, with those that a file may leave out, from the settings and {name: stored array}.
        from_tensors: the tensors of the model that the settings describe, under the names of `rows`.
        to_tensors: the inverse.
    """

    marker: str
    config: str
    prefix: str
    pieces: str | None = None
    complete: Callable[[dict, StoredArrays], dict] = lambda settings, tensors: settings
    from_tensors: Callable[[StoredArrays, dict], StoredArrays] = lambda tensors, settings: tensors
    to_tensors: Callable[[Weights], Weights] = dict


@dataclasses.dataclass(frozen=True, kw_only=True)
class KerasHubFormat(FamilyFormat):
    """A family in keras-hub; `rows` are those of the backbone.

    Attributes:
        module: the folder of its classes, keras_hub.src.models.MODULE.
        class_prefix: what the names of its classes begin with, "Bert" of "BertBackbone".
        similar_activations: ours that the backbone computes, exactly or nearly; others are refused.
        heads: {class of a task, without the prefix: rows of its head}.
        masked_lm: settings of the masked LM head, as `Checkpoint.task` names them, that its class always has.
        foreign: {their name: shape} of weights that our models do not have: not read, and written as zeros.
        from_weights: our weights from those of `rows`, where their code computes with fewer.
        to_weights: the inverse, for the same outputs.
        vocabulary_file: the name in our folders of the vocabulary that its tokenizer takes.
    """

    module: str
    class_prefix: str
    similar_activations: tuple[str, ...]
    heads: Mapping[str, list[Row]] = dataclasses.field(default_factory=dict)
    masked_lm: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    foreign: Callable[[Any], Mapping[str, tuple[int, ...]]] = lambda config: {}
    from_weights: Callable[[Weights], Weights] = dict
    to_weights: Callable[[Weights], Weights] = dict
    vocabulary_file: str = "vocab.txt"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelGardenFormat(FamilyFormat):
    """A family in TF Model Garden.

    Attributes:
        defaults: {their setting: value} of settings that their configs may leave out.
        token_table: path of the token embedding, which the masked LM head shares.
        empty: paths of objects without variables, which `assert_existing_objects_matched` looks for.
        empty_in_block: the same for each block; {i} is its number.
    """

    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    token_table: str
    empty: tuple[str, ...] = ()
    empty_in_block: tuple[str, ...] = ()


def optional_vocabulary(path: Path) -> list[str] | None:
    """The tokens of the vocabulary file at `path`, None without the file."""
    if not path.exists():
        return None
    return read_vocabulary(path)


def numbered_labels(count: int, path: Path) -> list[str]:
    """Names of labels for a head of `count` outputs, where the file at `path` has none."""
    if not 0 <= count <= MAX_LABELS:
        raise InputError(f"{path}: {count} labels. A head has at most {MAX_LABELS}.")
    return [f"LABEL_{i}" for i in range(count)]


def choose(received: Any, known: Iterable[str]) -> str:
    """The end of a message about an unknown kind of model: the known ones, and the nearest of them."""
    known = list(known)
    close = difflib.get_close_matches(str(received), known, n=1, cutoff=0)
    return f"These can be read: {', '.join(known)}; the nearest is {close[0]}."


def task_classes(format: str) -> dict[str, Any]:
    """{class of a task's models in a project, without the family's prefix: the `TaskSpec`}."""
    return {spec.architectures[format]: spec for spec in tasks().values() if format in spec.architectures}


def families_in(format: str) -> dict[str, Any]:
    """{family name: its `FamilyFormat`} of the families that the format called `format` can hold."""
    return {name: family.formats[format] for name, family in families().items() if format in family.formats}


def family_format(family: str, format: str) -> Any:
    """The `FamilyFormat` of the family in a format; `InputError` if the format cannot hold it."""
    known = families()[family].formats
    if format not in known:
        raise InputError(
            f"The format {format} cannot hold an encoder of the family {family!r}. Choose {' or '.join(known)}."
        )
    return known[format]
