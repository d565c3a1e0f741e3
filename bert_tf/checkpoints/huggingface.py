"""Hugging Face's BERT folders: config.json, model.safetensors, vocab.txt."""

import json
import pathlib

from safetensors import SafetensorError
from safetensors.numpy import load_file

from bert_tf.checkpoints.checkpoint import Checkpoint
from bert_tf.checkpoints.table import TRANSPOSED, Row, expand, linear, norm, read_rows
from bert_tf.config import EncoderConfig, TextConfig
from bert_tf.errors import InputError
from bert_tf.text.vocabulary import read_vocabulary

WEIGHTS = "model.safetensors"
# Their "gelu" is the exact one; both of their tanh forms are Google's.
ACTIVATIONS = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "swish": "silu"}


def _linear(ours, theirs):
    return linear(ours, f"{theirs}.", kernel="weight", bias="bias", transform=TRANSPOSED)


def _norm(ours, theirs):
    return norm(ours, f"{theirs}.LayerNorm.", gamma="weight", beta="bias")


_LAYER = "bert.encoder.layer.{i}."
ROWS = [
    Row("encoder/embeddings/token/embeddings", "bert.embeddings.word_embeddings.weight"),
    Row("encoder/embeddings/position/embeddings", "bert.embeddings.position_embeddings.weight"),
    Row("encoder/embeddings/segment/embeddings", "bert.embeddings.token_type_embeddings.weight"),
    *_norm("encoder/embeddings/norm", "bert.embeddings"),
    *_linear("encoder/block_{i}/attention/query", _LAYER + "attention.self.query"),
    *_linear("encoder/block_{i}/attention/key", _LAYER + "attention.self.key"),
    *_linear("encoder/block_{i}/attention/value", _LAYER + "attention.self.value"),
    *_linear("encoder/block_{i}/attention/output", _LAYER + "attention.output.dense"),
    *_norm("encoder/block_{i}/attention_norm", _LAYER + "attention.output"),
    *_linear("encoder/block_{i}/intermediate", _LAYER + "intermediate.dense"),
    *_linear("encoder/block_{i}/output", _LAYER + "output.dense"),
    *_norm("encoder/block_{i}/output_norm", _LAYER + "output"),
    *_linear("encoder/pooler", "bert.pooler.dense"),
    *_linear("masked_lm/transform", "cls.predictions.transform.dense"),
    *_norm("masked_lm/norm", "cls.predictions.transform"),
    Row("masked_lm/bias", "cls.predictions.bias"),
    *_linear("next_sentence", "cls.seq_relationship"),
    *_linear("classifier", "classifier"),
]
# Buffers and tied copies that hold nothing of their own.
IGNORED = ("embeddings.position_ids", "cls.predictions.decoder.")


def read(folder):
    """Reads the folder of a BERT model; another architecture or a broken file raises `InputError`."""
    folder = pathlib.Path(folder)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if settings.get("model_type") != "bert":
        raise InputError(f"{folder} holds a {settings.get('model_type')!r} model. Only model_type 'bert' can be read.")
    encoder = EncoderConfig(
        vocab_size=settings["vocab_size"],
        hidden_size=settings["hidden_size"],
        num_layers=settings["num_hidden_layers"],
        num_heads=settings["num_attention_heads"],
        intermediate_size=settings["intermediate_size"],
        max_positions=settings["max_position_embeddings"],
        type_vocab_size=settings["type_vocab_size"],
        activation=ACTIVATIONS.get(settings["hidden_act"], settings["hidden_act"]),
        layer_norm_epsilon=settings["layer_norm_eps"],
        hidden_dropout=settings["hidden_dropout_prob"],
        attention_dropout=settings["attention_probs_dropout_prob"],
        initializer_range=settings["initializer_range"],
    )
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder / WEIGHTS} cannot be read: {error}") from None
    if not any(name.startswith("bert.") for name in tensors):  # saved from the bare encoder
        tensors = {f"bert.{name}": tensor for name, tensor in tensors.items()}
    weights = read_rows(expand(ROWS, encoder.num_layers), tensors, IGNORED)
    vocabulary = read_vocabulary(folder / "vocab.txt") if (folder / "vocab.txt").exists() else None
    return Checkpoint(encoder, weights, _text_config(folder), vocabulary)


def _text_config(folder):
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return TextConfig(
        lower_case=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        split_cjk=settings.get("tokenize_chinese_chars", True),
        max_word_chars=100,
    )
