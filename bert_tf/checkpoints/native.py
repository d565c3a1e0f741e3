"""bert_tf's own model folder: config.json, vocab.txt, and a weights file that Keras's `load_weights` opens too."""

import dataclasses
import json
import pathlib

import h5py
import numpy as np

from bert_tf import config, files
from bert_tf.checkpoints.checkpoint import Checkpoint
from bert_tf.checkpoints.table import Row, expand, linear, norm, read_rows, write_rows
from bert_tf.errors import ConfigError, InputError
from bert_tf.text.vocabulary import read_vocabulary, write_vocabulary

CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocab.txt", "model.weights.h5"


def _dense(ours, theirs):
    return linear(ours, f"{theirs}/vars/", kernel="0", bias="1")


def _norm(ours, theirs):
    return norm(ours, f"{theirs}/vars/", gamma="0", beta="1")


# Keras numbers the weights of a layer, names the items of a list after their class, and keeps those layers of a model
# whose attribute sorts after the word "layers" in a group of that name.
ROWS = [
    Row("encoder/embeddings/token/embeddings", "encoder/embeddings/token/vars/0"),
    Row("encoder/embeddings/position/embeddings", "encoder/embeddings/position/vars/0"),
    Row("encoder/embeddings/segment/embeddings", "encoder/embeddings/segment/vars/0"),
    *_norm("encoder/embeddings/norm", "encoder/embeddings/norm"),
    *_dense("encoder/block_{i}/attention/query", "encoder/blocks/transformer_block_{i}/attention/query"),
    *_dense("encoder/block_{i}/attention/key", "encoder/blocks/transformer_block_{i}/attention/key"),
    *_dense("encoder/block_{i}/attention/value", "encoder/blocks/transformer_block_{i}/attention/value"),
    *_dense("encoder/block_{i}/attention/output", "encoder/blocks/transformer_block_{i}/attention/output_dense"),
    *_norm("encoder/block_{i}/attention_norm", "encoder/blocks/transformer_block_{i}/attention_norm"),
    *_dense("encoder/block_{i}/intermediate", "encoder/blocks/transformer_block_{i}/intermediate"),
    *_dense("encoder/block_{i}/output", "encoder/blocks/transformer_block_{i}/output_dense"),
    *_norm("encoder/block_{i}/output_norm", "encoder/blocks/transformer_block_{i}/output_norm"),
    *_dense("encoder/pooler", "encoder/layers/dense"),
    *_dense("masked_lm/transform", "layers/masked_lm_head/transform"),
    *_norm("masked_lm/norm", "layers/masked_lm_head/norm"),
    Row("masked_lm/bias", "layers/masked_lm_head/vars/0"),
    *_dense("next_sentence", "layers/dense"),
    *_dense("classifier", "classifier"),
    *_dense("answer_span", "answer_span"),
]


def _table(encoder):
    first = "transformer_block_0/"  # Keras leaves the number of the first one out
    return [
        dataclasses.replace(row, theirs=row.theirs.replace(first, "transformer_block/"))
        for row in expand(ROWS, encoder.num_layers)
    ]


def read(folder):
    """Reads a folder that `write` wrote or `save_pretrained` saved; `InputError` says what is missing or broken."""
    folder = pathlib.Path(folder)
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        encoder = config.from_dict(config.EncoderConfig, settings["encoder"], "encoder.")
        text = config.from_dict(config.TextConfig, settings.get("text", {}), "text.")
    except (json.JSONDecodeError, KeyError, ConfigError) as error:
        raise InputError(f"{folder / CONFIG} is not a model's config: {error}") from None
    vocabulary = read_vocabulary(folder / VOCABULARY) if (folder / VOCABULARY).exists() else None
    weights = read_rows(_table(encoder), _read_h5(folder / WEIGHTS))
    return Checkpoint(encoder, weights, text, vocabulary, settings.get("task", {}))


def write(checkpoint, folder):
    """Writes the folder whole or not at all; returns the names of weights that the format has no place for."""
    tensors, left_out = write_rows(_table(checkpoint.encoder), checkpoint.weights)
    settings = {
        "encoder": dataclasses.asdict(checkpoint.encoder),
        "text": dataclasses.asdict(checkpoint.text),
        "task": checkpoint.task,
    }
    with files.atomic_folder(folder) as temporary:
        (temporary / CONFIG).write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if checkpoint.vocabulary:
            write_vocabulary(temporary / VOCABULARY, checkpoint.vocabulary)
        if all(name.startswith("encoder/") for name in tensors):  # as Keras saves an encoder by itself
            tensors = {name.removeprefix("encoder/"): tensor for name, tensor in tensors.items()}
        with h5py.File(temporary / WEIGHTS, "w") as file:
            for name, tensor in tensors.items():
                file[name] = tensor
    return left_out


def _read_h5(path):
    tensors = {}

    def collect(name, item):
        if isinstance(item, h5py.Dataset):
            tensors[name] = np.asarray(item)

    try:
        with h5py.File(path) as file:
            file.visititems(collect)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    if "encoder" not in {name.split("/")[0] for name in tensors}:  # an encoder saved by itself
        tensors = {f"encoder/{name}": tensor for name, tensor in tensors.items()}
    return tensors
