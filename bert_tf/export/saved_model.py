"""Exports a SavedModel for TF Serving: strings in, decoded answers out, all in one graph."""

import os
import pathlib
import tempfile
from typing import Any

import tensorflow as tf

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export.comparison import check_difference, largest_difference
from bert_tf.export.model_card import write_card, write_page_card
from bert_tf.export.signatures import SERVING_DEFAULT, label_lines, named_classes, signatures
from bert_tf.export.warmup import write_warmup
from bert_tf.tasks.base.task import Task

_LARGEST_VERSION = 2**63 - 1  # that TF Serving reads


def export_saved_model(
    model: Task,
    folder: str | os.PathLike,
    check_texts: Any,
    version: int | None = None,
    reference: Task | None = None,
    tolerance: float = 1e-4,
    attention: bool = False,
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

    Returns:
        (path of the version, largest absolute difference).

    Raises:
        ConfigError: the version is out of range, or the encoder has no attention.
        InputError: the version exists, or the difference is above `tolerance`; then nothing is kept.
    """
    folder = pathlib.Path(folder)
    if version and not 0 < version <= _LARGEST_VERSION:
        raise ConfigError(
            f"Received: --version={version}. Versions are numbers from 1 to {_LARGEST_VERSION}; 0 is the next."
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder. --output is the folder for the versions of the model.")
    if version and (folder / str(version)).exists():
        raise _taken(folder / str(version))
    functions = signatures(model, attention)
    with files.temporary_folder(folder / "export") as work:
        temporary = work / "version"
        temporary.mkdir()
        _save(model, functions, temporary)
        write_warmup(temporary, folder.name, model)
        write_page_card(temporary, model)
        loaded = tf.saved_model.load(str(temporary)).signatures
        compared = model if reference is None or model.WRITES_TEXT else reference
        difference = _difference(loaded[SERVING_DEFAULT], compared, check_texts, exact=compared is model)
        check_difference("SavedModel", difference, tolerance)
        write_card(temporary, folder.name, model, loaded, difference)
        return _publish(temporary, folder, version), difference


def _save(model: Task, functions: dict[str, Any], folder: pathlib.Path) -> None:
    """Writes graph, variables and assets from a plain module, so that loading needs no Keras."""
    with tempfile.TemporaryDirectory() as assets:
        module = tf.Module()
        module.parameters = [variable.value for variable in model.variables]
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
    latest = 0
    for path in folder.glob("*"):
        if path.name.isascii() and path.name.isdigit() and int(path.name) <= _LARGEST_VERSION:
            latest = max(latest, int(path.name))
    if latest == _LARGEST_VERSION:
        raise InputError(f"{folder} has the largest version, {latest}. Choose a free one with --version.")
    return latest + 1
