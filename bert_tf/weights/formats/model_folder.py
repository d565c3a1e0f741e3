"""bert_tf's own model folder: config.json, vocab.txt, and a weights file that Keras's `load_weights` opens too."""

import dataclasses
import re

from bert_tf.core import config
from bert_tf.text.tokenizers.vocabulary import read_vocabulary, write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import load_json, member, parse, save_json
from bert_tf.weights.io import hdf5
from bert_tf.weights.schema import part_of
from bert_tf.weights.weight_table import (
    Row,
    expand,
    linear,
    norm,
    read_rows,
    write_rows,
)

CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocab.txt", "model.weights.h5"


def _dense(ours, theirs):
    return linear(ours, f"{theirs}/vars/", kernel="0", bias="1")


def _norm(ours, theirs):
    return norm(ours, f"{theirs}/vars/", gamma="0", beta="1")


def _lstm(side):
    ours, theirs = f"encoder/lstm_{{i}}/{side}_lstm/lstm_cell/", f"encoder/layers/bidirectional_{{i}}/{side}_layer/"
    return [Row(ours + name, f"{theirs}cell/vars/{i}") for i, name in enumerate(("kernel", "recurrent_kernel", "bias"))]


# Keras numbers the weights of a layer, names the items of a list after their class, and keeps those layers of a model
# whose attribute sorts after the word "layers" in a group of that name.
_BLOCK = "encoder/blocks/transformer_block_{i}"
_BERT = [
    Row("encoder/embeddings/token/embeddings", "encoder/embeddings/token/vars/0"),
    Row("encoder/embeddings/position/embeddings", "encoder/embeddings/position/vars/0"),
    Row("encoder/embeddings/segment/embeddings", "encoder/embeddings/segment/vars/0"),
    *_norm("encoder/embeddings/norm", "encoder/embeddings/norm"),
    *_dense("encoder/block_{i}/attention/query", f"{_BLOCK}/attention/query"),
    *_dense("encoder/block_{i}/attention/key", f"{_BLOCK}/attention/key"),
    *_dense("encoder/block_{i}/attention/value", f"{_BLOCK}/attention/value"),
    *_dense("encoder/block_{i}/attention/output", f"{_BLOCK}/attention/output_dense"),
    *_norm("encoder/block_{i}/attention_norm", f"{_BLOCK}/attention_norm"),
    *_dense("encoder/block_{i}/intermediate", f"{_BLOCK}/intermediate"),
    *_dense("encoder/block_{i}/output", f"{_BLOCK}/output_dense"),
    *_norm("encoder/block_{i}/output_norm", f"{_BLOCK}/output_norm"),
    *_dense("encoder/pooler", "encoder/layers/dense"),
]
_BILSTM = [
    Row("encoder/token/embeddings", "encoder/layers/embedding/vars/0"),
    *_lstm("forward"),
    *_lstm("backward"),
    *_dense("encoder/attention/query", "encoder/attention/query"),
    *_dense("encoder/attention/key", "encoder/attention/key"),
    *_dense("encoder/attention/value", "encoder/attention/value"),
    *_dense("encoder/attention/output", "encoder/attention/output_dense"),
]
HEADS = [
    *_dense("masked_lm/transform", "layers/masked_lm_head/transform"),
    *_norm("masked_lm/norm", "layers/masked_lm_head/norm"),
    Row("masked_lm/bias", "layers/masked_lm_head/vars/0"),
    *_dense("next_sentence", "layers/dense"),
    *_dense("classifier", "classifier"),
    *_dense("answer_span", "answer_span"),
]
FOREIGN = {"next_sentence_pooler"}  # parts of other projects' models that ours do not have


def _table(encoder):
    rows = expand((_BILSTM if encoder.encoder == "bilstm" else _BERT) + HEADS, encoder.num_layers)
    # Keras leaves the number of the first one of a list out.
    first = re.compile("(transformer_block|bidirectional)_0/")
    return [dataclasses.replace(row, theirs=first.sub(r"\1/", row.theirs)) for row in rows]


def holds(folder):
    """Whether the folder says that it is ours: an "encoder" in its config.json."""
    return (folder / CONFIG).exists() and "encoder" in load_json(folder / CONFIG)


def read_task(folder):
    """The settings of the head in config.json, {} where it names none."""
    return member(load_json(folder / CONFIG), "task", {}, folder / CONFIG)


def read(folder):
    """Reads a folder that `write` wrote; `InputError` says what is missing or broken."""
    settings = load_json(folder / CONFIG)
    encoder = parse(config.EncoderConfig, member(settings, "encoder", {}, folder / CONFIG), folder / CONFIG)
    text = parse(config.TextConfig, member(settings, "text", {}, folder / CONFIG), folder / CONFIG)
    vocabulary = read_vocabulary(folder / VOCABULARY) if (folder / VOCABULARY).exists() else None
    tensors = hdf5.read(folder / WEIGHTS)
    if not any(name.startswith("encoder/") for name in tensors):  # an encoder saved by itself
        tensors = {f"encoder/{name}": tensor for name, tensor in tensors.items()}
    weights = read_rows(_table(encoder), tensors, ignored=("seed_generator", "optimizer/"))
    return Checkpoint(encoder, weights, text, vocabulary, read_task(folder))


def write(checkpoint, folder):
    """Writes the files into `folder`; returns what could not be carried over, a line each."""
    parts = {part_of(name) for name in checkpoint.weights} - {part_of(row.ours) for row in _BERT + HEADS}
    if strange := parts - FOREIGN:
        raise ValueError(f"native.HEADS has no rows for {', '.join(sorted(strange))}, which would be lost.")
    tensors, left_out = write_rows(_table(checkpoint.encoder), checkpoint.weights)
    if all(name.startswith("encoder/") for name in tensors):  # as Keras saves an encoder by itself
        tensors = {name.removeprefix("encoder/"): tensor for name, tensor in tensors.items()}
    settings = {
        "encoder": dataclasses.asdict(checkpoint.encoder),
        "text": dataclasses.asdict(checkpoint.text),
        "task": checkpoint.task,
    }
    save_json(folder / CONFIG, settings)
    if checkpoint.vocabulary:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    hdf5.write(folder / WEIGHTS, tensors)
    return left_out
