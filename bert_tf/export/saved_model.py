"""A SavedModel that takes strings and gives decoded answers, all in one graph, as TF Serving reads it."""

import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from bert_tf.core import files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export.model_card import write_card
from bert_tf.export.signatures import SERVING_DEFAULT, signatures
from bert_tf.export.warmup import write_warmup
from bert_tf.text.tokenizers import vocabulary

_LARGEST = 2**63 - 1  # version that TF Serving reads


def export_saved_model(model, folder, check_texts, version=None, reference=None, tolerance=1e-4, attention=False):
    """Writes `folder`/VERSION with the signatures of `signatures.py`, the vocabulary and labels as assets, warm-up
    requests and a model card.

    The SavedModel is loaded again and asked `check_texts` before it gets its final name.

    Args:
        model: a task model; its variables are stored in their own dtype.
        check_texts: a list of strings, or a tuple of lists for a task that reads several texts.
        version: a number from 1; None: the next after those that are there. One that is there raises `InputError`.
        reference: the model whose answers are the right ones; None: `model`.
        tolerance: by how much a number in an answer may differ from the reference's.
        attention: whether there are signatures that tell where the model looks (attention.py).

    Returns:
        (path of the version, largest difference); a difference above `tolerance` raises `InputError` and leaves
        nothing behind.
    """
    version = version or _next_version(folder)
    if not 0 < version <= _LARGEST:
        raise ConfigError(f"Received: --version={version}. Versions are numbers from 1 to {_LARGEST}; 0 is the next.")
    path = pathlib.Path(folder) / str(version)
    if path.parent.is_file():
        raise InputError(f"{folder} is a file. --output is the folder that gets the versions.")
    if path.exists():
        raise InputError(f"{path} exists. Leave --version out for the next one, or remove it.")
    functions = signatures(model, attention)
    with files.atomic_folder(path) as temporary:
        _save(model, functions, temporary)
        write_warmup(temporary, path.parent.name, model)
        loaded = tf.saved_model.load(str(temporary)).signatures
        difference = _difference(loaded[SERVING_DEFAULT], reference or model, check_texts)
        if not difference <= tolerance:
            raise InputError(f"The SavedModel differs from Keras by {difference:.2g}, over {tolerance:.2g}; not kept.")
        write_card(temporary, path.parent.name, model, loaded, difference)
    return path, difference


def _save(model, functions, folder):
    """Writes the graph and its variables alone, with nothing of Keras in it."""
    with tempfile.TemporaryDirectory() as assets:
        module = tf.Module()
        module.parameters = [variable.value for variable in model.variables]
        module.vocabulary = _asset(assets, "vocab.txt", model.tokenizer.vocabulary)
        if labels := getattr(model, "labels", ()):
            module.labels = _asset(assets, "labels.txt", labels)
        tf.saved_model.save(module, str(folder), functions)


def _asset(folder, name, lines):
    """A file that travels with the SavedModel wherever its folder is moved."""
    path = pathlib.Path(folder) / name
    vocabulary.write_vocabulary(path, lines)
    return tf.saved_model.Asset(str(path))


def _difference(serve, model, texts):
    """The largest difference of a number in the answers; infinite where they have other shapes."""
    texts = model.encode_texts(texts)
    expected = model.serve(*texts)
    answers = serve(**dict(zip(model.TEXTS, texts, strict=False)))
    if {name: value.shape for name, value in answers.items()} != {
        name: value.shape for name, value in expected.items()
    }:
        return np.inf
    floats = [name for name, value in expected.items() if value.dtype.is_floating]
    return max(float(np.abs(answers[name] - expected[name]).max(initial=0)) for name in floats)


def _next_version(folder):
    names = [path.name for path in pathlib.Path(folder).glob("*")]
    numbers = [int(name) for name in names if name.isascii() and name.isdigit()]
    return max(numbers, default=0) + 1
