"""google-research/bert's folders: bert_config.json, bert_model.ckpt.*, vocab.txt, written by TensorFlow 1."""

import dataclasses

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.vocabulary import read_vocabulary, write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    GOOGLE_FIELDS,
    load_json,
    masked_lm_notes,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.weight_table import (
    TRANSPOSED,
    Row,
    expand,
    linear,
    norm,
    read_rows,
    write_rows,
)

CONFIG, VOCABULARY, PREFIX = "bert_config.json", "vocab.txt", "bert_model.ckpt"
# Their "gelu" is the tanh form (modeling.py); a linear activation is written as null.
ACTIVATIONS = {"gelu": "gelu_tanh", None: "linear", "": "linear"}
EPSILON = 1e-12  # of tf.contrib.layers.layer_norm, which their code calls


def _dense(ours, theirs):
    return linear(ours, f"{theirs}/")


def _norm(ours, theirs):
    return norm(ours, f"{theirs}/LayerNorm/")


def _output(ours, theirs):
    return linear(ours, theirs, kernel="output_weights", bias="output_bias", transform=TRANSPOSED)


_LAYER = "bert/encoder/layer_{i}/"
ROWS = [
    Row("encoder/embeddings/token/embeddings", "bert/embeddings/word_embeddings"),
    Row("encoder/embeddings/position/embeddings", "bert/embeddings/position_embeddings"),
    Row("encoder/embeddings/segment/embeddings", "bert/embeddings/token_type_embeddings"),
    *_norm("encoder/embeddings/norm", "bert/embeddings"),
    *_dense("encoder/block_{i}/attention/query", _LAYER + "attention/self/query"),
    *_dense("encoder/block_{i}/attention/key", _LAYER + "attention/self/key"),
    *_dense("encoder/block_{i}/attention/value", _LAYER + "attention/self/value"),
    *_dense("encoder/block_{i}/attention/output", _LAYER + "attention/output/dense"),
    *_norm("encoder/block_{i}/attention_norm", _LAYER + "attention/output"),
    *_dense("encoder/block_{i}/intermediate", _LAYER + "intermediate/dense"),
    *_dense("encoder/block_{i}/output", _LAYER + "output/dense"),
    *_norm("encoder/block_{i}/output_norm", _LAYER + "output"),
    *_dense("encoder/pooler", "bert/pooler/dense"),
    *_dense("masked_lm/transform", "cls/predictions/transform/dense"),
    *_norm("masked_lm/norm", "cls/predictions/transform"),
    Row("masked_lm/bias", "cls/predictions/output_bias"),
    *_output("next_sentence", "cls/seq_relationship/"),
    *_output("classifier", ""),  # run_classifier.py
    *_output("answer_span", "cls/squad/"),  # run_squad.py
]
# What their optimizer keeps beside the weights.
IGNORED = ("/adam_m", "/adam_v", "output_weights/adam", "output_bias/adam", "beta1_power", "beta2_power")


def holds(folder):
    """Whether the folder has a TensorFlow checkpoint that is kept by name."""
    prefix = tf_checkpoint.find(folder)
    return prefix is not None and not tf_checkpoint.has_objects(prefix)


def read_task(folder):
    """What bert_tf kept in bert_config.json when it wrote the folder; their own files name no task."""
    return read_own(load_json(folder / CONFIG), folder / CONFIG)[1]


def read(folder):
    """Reads a folder of google-research/bert, pretrained or fine-tuned; a broken file raises `InputError`.

    The files do not say whether the vocabulary is cased: it is where any of its pieces has a capital letter.
    """
    settings = load_json(folder / CONFIG)
    encoder = read_encoder(GOOGLE_FIELDS, ACTIVATIONS, settings, folder / CONFIG, layer_norm_epsilon=EPSILON)
    weights = read_rows(expand(ROWS, encoder.num_layers), tf_checkpoint.read_names(tf_checkpoint.find(folder)), IGNORED)
    vocabulary = read_vocabulary(folder / VOCABULARY) if (folder / VOCABULARY).exists() else None
    text, task = read_own(settings, folder / CONFIG)
    return Checkpoint(encoder, weights, text or text_of(vocabulary), vocabulary, task)


def write(checkpoint, folder):
    """Writes the files into `folder`; returns what could not be carried over, a line each."""
    settings, notes = write_encoder(GOOGLE_FIELDS, ACTIVATIONS, checkpoint.encoder, layer_norm_epsilon=EPSILON)
    tensors, left_out = write_rows(expand(ROWS, checkpoint.encoder.num_layers), checkpoint.weights)
    save_json(folder / CONFIG, write_own(settings, checkpoint))
    tf_checkpoint.write_names(folder / PREFIX, tensors)
    if checkpoint.vocabulary:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    return notes + masked_lm_notes(checkpoint) + left_out


def text_of(vocabulary):
    """The `TextConfig` for a vocabulary that came without one: cased where a piece has a capital letter."""
    pieces = [piece for piece in vocabulary or () if not (piece[0] == "[" and piece[-1] == "]")]
    return dataclasses.replace(TextConfig(), lower_case=all(piece == piece.lower() for piece in pieces))
