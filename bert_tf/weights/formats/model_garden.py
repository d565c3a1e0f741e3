"""TF Model Garden's checkpoints of `BertPretrainerV2`, `BertEncoderV2` and its trainer: ckpt-N.* and a JSON config."""

import numpy as np

from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers.vocabulary import read_vocabulary, write_vocabulary
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    OWN,
    load_json,
    member,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.formats import zero_pooler
from bert_tf.weights.formats.google import text_of
from bert_tf.weights.io import tf_checkpoint
from bert_tf.weights.weight_table import (
    Row,
    expand,
    linear,
    norm,
    projections,
    read_rows,
    write_rows,
)

CONFIGS, VOCABULARY, PREFIX = ("config.json", "bert_config.json"), "vocab.txt", "ckpt"
# The names of their `BertEncoderConfig` (official/nlp/configs/encoders.py).
FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "activation": "hidden_activation",
    "hidden_dropout": "dropout_rate",
    "attention_dropout": "attention_dropout_rate",
    "initializer_range": "initializer_range",
}
# Their own activation of that name is the tanh form, and their encoder's default; tf_keras's "gelu", which a string
# given to the masked LM head means, is the exact one.
ACTIVATIONS = {"gelu": "gelu_tanh"}
FIXED = {"layer_norm_epsilon": 1e-12}

_LAYER = "encoder/_transformer_layers/{i}/"


def _dense(ours, theirs):
    return linear(ours, f"{theirs}/")


def _norm(ours, theirs):
    return norm(ours, f"{theirs}/")


def _table(encoder):
    rows = [
        Row("encoder/embeddings/token/embeddings", "encoder/_embedding_layer/embeddings"),
        Row("encoder/embeddings/position/embeddings", "encoder/_position_embedding_layer/embeddings"),
        Row("encoder/embeddings/segment/embeddings", "encoder/_type_embedding_layer/embeddings"),
        *_norm("encoder/embeddings/norm", "encoder/_embedding_norm_layer"),
        *projections("encoder/block_{i}/attention", _LAYER + "_attention_layer/_{name}_dense/", encoder.num_heads),
        *_norm("encoder/block_{i}/attention_norm", _LAYER + "_attention_layer_norm"),
        *_dense("encoder/block_{i}/intermediate", _LAYER + "_intermediate_dense"),
        *_dense("encoder/block_{i}/output", _LAYER + "_output_dense"),
        *_norm("encoder/block_{i}/output_norm", _LAYER + "_output_layer_norm"),
        *_dense("encoder/pooler", "encoder/_pooler_layer"),
        *_dense("masked_lm/transform", "masked_lm/dense"),
        *_norm("masked_lm/norm", "masked_lm/layer_norm"),
        Row("masked_lm/bias", "masked_lm/bias"),
        *_dense("next_sentence_pooler", "next_sentence.pooler_dense"),
        *_dense("next_sentence", "next_sentence.out_proj"),  # not among their `checkpoint_items`
    ]
    return expand(rows, encoder.num_layers)


SHARED = {"masked_lm/embedding_table": "encoder/_embedding_layer/embeddings"}
# Objects without variables, which `assert_existing_objects_matched` looks for.
EMPTY = ["encoder/_embedding_dropout", "encoder/_attention_mask_layer", "encoder/_config/initializer/config"]
EMPTY_IN_LAYER = [
    "_attention_layer/_softmax",
    "_attention_layer/_dropout_layer",
    "_attention_dropout",
    "_intermediate_activation_layer",
    "_inner_dropout_layer",
    "_output_dropout",
]
# Where their trainer keeps the same parts: it saves the whole model and not its `checkpoint_items`.
TRAINER = {
    "encoder/": "model/encoder_network/",
    "masked_lm/": "model/masked_lm/",
    "next_sentence.pooler_dense/": "model/classification_heads/0/dense/",
    "next_sentence.out_proj/": "model/classification_heads/0/out_proj/",
}
IGNORED = ("optimizer/", "_CHECKPOINTABLE", "train_loss", "masked_lm/embedding_table")


def holds(folder):
    """Whether the folder has a checkpoint of TensorFlow objects."""
    prefix = tf_checkpoint.find(folder)
    return prefix is not None and tf_checkpoint.has_objects(prefix)


def read_task(folder):
    """What bert_tf kept in the config when it wrote the folder, else the activation of the masked LM head."""
    settings, path = _settings(folder)
    if OWN in settings or "mlm_activation" not in settings:
        return read_own(settings, path)[1]
    return {"masked_lm_activation": member(settings, "mlm_activation", "", path) or "linear"}


def read(folder):
    """Reads the checkpoint with the config beside it; `InputError` where either is missing or broken."""
    settings, path = _settings(folder)
    settings = {"hidden_activation": "gelu"} | settings  # which their encoder's default is the same as
    encoder = read_encoder(FIELDS, ACTIVATIONS, settings, path, **FIXED)
    weights = zero_pooler.drop_empty(_one_pooler(_read_weights(folder, _table(encoder))))
    vocabulary = read_vocabulary(folder / VOCABULARY) if (folder / VOCABULARY).exists() else None
    text, _ = read_own(settings, path)
    return Checkpoint(encoder, weights, text or text_of(vocabulary), vocabulary, read_task(folder))


def write(checkpoint, folder):
    """Writes the files into `folder`; returns what could not be carried over, a line each."""
    settings, notes = write_encoder(FIELDS, ACTIVATIONS, checkpoint.encoder, **FIXED)
    weights, missing = zero_pooler.fill(checkpoint)
    if "next_sentence/kernel" in weights:  # theirs has a pooler of its own
        copy = {f"next_sentence_pooler/{name}": weights[f"encoder/pooler/{name}"] for name in ("kernel", "bias")}
        weights = copy | weights
    tensors, left_out = write_rows(_table(checkpoint.encoder), weights)
    layers = range(checkpoint.encoder.num_layers)
    empty = EMPTY + [f"{_LAYER}{name}".replace("{i}", str(i)) for i in layers for name in EMPTY_IN_LAYER]
    shared = SHARED if "masked_lm/bias" in weights else {}
    tf_checkpoint.write_objects(folder / PREFIX, tensors, shared, empty)
    save_json(folder / CONFIGS[0], write_own(settings, checkpoint))
    if checkpoint.vocabulary:
        write_vocabulary(folder / VOCABULARY, checkpoint.vocabulary)
    return notes + missing + left_out


def _settings(folder):
    for name in CONFIGS:
        if (folder / name).exists():
            return load_json(folder / name), folder / name
    raise InputError(f"{folder} has a checkpoint and no {' or '.join(CONFIGS)}, which say what it holds.")


def _read_weights(folder, rows):
    prefix = tf_checkpoint.find(folder)
    paths = {row.theirs: row.theirs for row in rows}
    tensors = tf_checkpoint.read_objects(prefix, paths)
    if any(name.startswith("model/") for name in tensors):
        for path in paths:
            start = next(start for start in TRAINER if path.startswith(start))
            paths[path] = TRAINER[start] + path.removeprefix(start)
        tensors = tf_checkpoint.read_objects(prefix, paths.values())
        back = {theirs: path for path, theirs in paths.items()}
        tensors = {back.get(name, name): tensor for name, tensor in tensors.items()}
    return read_rows(rows, tensors, IGNORED)


def _one_pooler(weights):
    """Our models have one pooler where theirs have two.

    The one of the next sentence head is the trained one: in their pretraining nothing uses the encoder's. So it
    takes its place where the whole head is there; without the head's output it is kept beside it if it differs.
    """
    head = {name: weights.pop(f"next_sentence_pooler/{name}", None) for name in ("kernel", "bias")}
    if head["kernel"] is None:
        return weights
    if "next_sentence/kernel" in weights:
        return weights | {f"encoder/pooler/{name}": array for name, array in head.items()}
    if any(not np.array_equal(weights.get(f"encoder/pooler/{name}"), array) for name, array in head.items()):
        return weights | {f"next_sentence_pooler/{name}": array for name, array in head.items()}
    return weights
