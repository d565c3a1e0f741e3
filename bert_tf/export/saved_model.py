"""Exports a SavedModel for TF Serving: strings in, decoded answers out, all in one graph."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.saved_model_folders import LARGEST_VERSION, numbered
from bert_tf.export.comparison import check_difference, compared_scores, largest_difference
from bert_tf.export.constant_weights import constant_weights
from bert_tf.export.int8_weights import int8_weights
from bert_tf.export.model_card import write_card, write_page_card
from bert_tf.export.signatures import SERVING_DEFAULT, label_lines, named_classes, signatures
from bert_tf.export.warmup import write_warmup
from bert_tf.tasks.base.task import Task


def export_saved_model(
    model: Task,
    folder: str | os.PathLike,
    check_texts: Any,
    version: int | None = None,
    reference: Task | None = None,
    tolerance: float = 1e-4,
    attention: bool = False,
    int8: bool = False,
    scores: Mapping[str, Any] | None = None,
    constants: bool = False,
) -> tuple[pathlib.Path, float]:
    """Writes FOLDER/VERSION: signatures (signatures.py), vocabulary and labels as assets, warm-up requests, cards.

    The SavedModel is loaded and compared with Keras before it gets its final name.

    Args:
        model: its variables are stored in their own dtype.
        check_texts: texts as the model's `predict_text` takes them, for the comparison.
        version: a number from 1; None or 0: the next after the existing ones.
        reference: the model to compare with; None: `model`, which written texts are compared with in any case: in
            another dtype a text may go another way from one token on.
        tolerance: largest allowed difference of a number in an answer.
        attention: whether to add signatures that return attention probabilities (attention.py).
        int8: whether kernels and token tables are stored as int8 (int8_weights.py).
        scores: of `compared_scores`, as "saved_model", for the card.
        constants: whether the graph holds the weights as constants (constant_weights.py); not with `int8`.

    Returns:
        (path of the version, largest absolute difference).

    Raises:
        ConfigError: the version is out of range, the encoder has no attention, or `constants` with `int8`.
        InputError: the version exists, the model cannot have constant weights, or the difference is above `tolerance`;
            then nothing is kept.
    """
    folder = pathlib.Path(folder)
    if version and not 0 < version <= LARGEST_VERSION:
        raise ConfigError(
            f"Received: --version={version}. Versions are numbers from 1 to {LARGEST_VERSION}; 0 is the next."
        )
    if constants and int8:
        raise ConfigError("Received: constant weights in int8. Choose one of both: int8 kernels are variables.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder. --output is the folder for the versions of the model.")
    if version and (folder / str(version)).exists():
        raise _taken(folder / str(version))
    with constant_weights(model) if constants else _stored(model, int8) as copies:
        functions = signatures(model, attention)
    with files.temporary_folder(folder / "export") as work:
        temporary = work / "version"
        temporary.mkdir()
        _save(model, functions, temporary)
        del copies  # until here they have to exist
        write_warmup(temporary, folder.name, model)
        write_page_card(temporary, model)
        loaded = tf.saved_model.load(str(temporary)).signatures
        compared = model if reference is None or model.WRITES_TEXT else reference
        exact = compared is model and (model.WRITES_TEXT or not int8)
        with _stored(compared, int8 and exact):
            difference = _difference(loaded[SERVING_DEFAULT], compared, check_texts, exact)
        check_difference("SavedModel", difference, tolerance)
        write_card(temporary, folder.name, model, loaded, difference, int8, scores, constants)
        return _publish(temporary, folder, version), difference


def saved_model_scores(
    reference: Task, model: Task, data: tuple[Any, Any], max_drop: float = 0.5, int8: bool = False
) -> dict[str, Any]:
    """As `compared_scores`, of the SavedModel that `export_saved_model` would write of `model`."""
    with _stored(model, int8):
        found = model.score(*data)[model.SCORE]
    return compared_scores(reference, found, data, max_drop, "saved_model")


def _stored(model: Task, int8: bool) -> contextlib.AbstractContextManager[Any]:
    """A context in which the model computes with the weights as they are stored."""
    return int8_weights(model) if int8 else contextlib.nullcontext()


def _save(model: Task, functions: dict[str, Any], folder: pathlib.Path) -> None:
    """Writes graph, variables and assets from a plain module, so that loading needs no Keras."""
    with tempfile.TemporaryDirectory() as assets:
        module = tf.Module()
        read = [variable for function in functions.values() for variable in function.variables]
        module.parameters = list({id(variable): variable for variable in read}.values())  # others are constants
        module.tokenizer = model.tokenizer  # its tables
        vocabulary = pathlib.Path(assets) / model.tokenizer.FILE_NAME
        model.tokenizer.save(vocabulary)
        module.vocabulary = tf.saved_model.Asset(str(vocabulary))
        if labels := label_lines(model):
            labels_file = pathlib.Path(assets) / "labels.txt"
            labels_file.write_text(labels, encoding="utf-8")
            module.labels = tf.saved_model.Asset(str(labels_file))
        tf.saved_model.save(module, str(folder), functions)


def _difference(serve: Any, model: Task, texts: Any, exact: bool) -> float:
    """As `largest_difference`, of the signature `serve` and the model, for texts as `predict_text` takes them."""
    texts = model.preprocessor.encode_texts(texts)
    answers = serve(**dict(zip(model.TEXTS, texts, strict=False)))
    return largest_difference(answers, named_classes(model, model.serve(*texts)), exact)


def _publish(source: pathlib.Path, folder: pathlib.Path, version: int | None) -> pathlib.Path:
    """Moves a complete version to its name. Another export may take a name at any time: then it is the next one."""
    while not files.publish(source, path := folder / str(version or _next_version(folder)), replace=False):
        if version:
            raise _taken(path)
    return path


def _taken(path: pathlib.Path) -> InputError:
    return InputError(f"{path} exists. Leave --version out for the next one, or remove it.")


def _next_version(folder: pathlib.Path) -> int:
    latest = max((version for version, _ in numbered(folder.glob("*"))), default=0)
    if latest == LARGEST_VERSION:
        raise InputError(f"{folder} has the largest version, {latest}. Choose a free one with --version.")
    return latest + 1
