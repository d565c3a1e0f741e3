"""keras-hub's BERT presets: config.json, model.weights.h5, the tokenizer's files, and a task's if there is one."""

import dataclasses

from bert_tf.core.errors import InputError
from bert_tf.weights.checkpoint import Checkpoint
from bert_tf.weights.encoder_fields import (
    OWN,
    load_json,
    masked_lm_notes,
    member,
    read_encoder,
    read_own,
    save_json,
    write_encoder,
    write_own,
)
from bert_tf.weights.formats import keras_hub_task, zero_pooler
from bert_tf.weights.io import hdf5
from bert_tf.weights.weight_table import (
    Row,
    expand,
    linear,
    norm,
    projections,
    read_rows,
    write_rows,
)

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
FIELDS = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "num_layers": "num_layers",
    "num_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_positions": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "hidden_dropout": "dropout",
}
FIXED = {"activation": "gelu_tanh", "layer_norm_epsilon": 1e-12}  # what `BertBackbone` computes with
GELUS = ("gelu", "gelu_tanh")


def _dense(ours, theirs):
    return linear(ours, f"{theirs}/vars/", kernel="0", bias="1")


def _norm(ours, theirs):
    return norm(ours, f"{theirs}/vars/", gamma="0", beta="1")


_LAYER = "layers/transformer_encoder_{i}/"


def _table(encoder):
    """The rows of model.weights.h5."""
    rows = [
        Row("encoder/embeddings/token/embeddings", "layers/reversible_embedding/vars/0"),
        Row("encoder/embeddings/position/embeddings", "layers/position_embedding/vars/0"),
        Row("encoder/embeddings/segment/embeddings", "layers/embedding/vars/0"),
        *_norm("encoder/embeddings/norm", "layers/layer_normalization"),
        *projections(
            "encoder/block_{i}/attention",
            _LAYER + "_self_attention_layer/{name}_dense/vars/",
            encoder.num_heads,
            kernel="0",
            bias="1",
        ),
        *_norm("encoder/block_{i}/attention_norm", _LAYER + "_self_attention_layer_norm"),
        *_dense("encoder/block_{i}/intermediate", _LAYER + "_feedforward_intermediate_dense"),
        *_dense("encoder/block_{i}/output", _LAYER + "_feedforward_output_dense"),
        *_norm("encoder/block_{i}/output_norm", _LAYER + "_feedforward_layer_norm"),
        *_dense("encoder/pooler", "layers/dense"),
    ]
    first = "transformer_encoder_0/"  # Keras leaves the number of the first one out
    return [
        dataclasses.replace(row, theirs=row.theirs.replace(first, "transformer_encoder/"))
        for row in expand(rows, encoder.num_layers)
    ]


def holds(folder):
    """Whether the folder's config.json is of a class of keras-hub."""
    return (folder / CONFIG).exists() and "keras_hub" in str(load_json(folder / CONFIG).get("module"))


def read_task(folder):
    """What bert_tf kept in config.json when it wrote the folder, else what the class in task.json computes with."""
    settings = load_json(folder / CONFIG)
    return read_own(settings, folder / CONFIG)[1] if OWN in settings else keras_hub_task.settings_of_head(folder)


def read(folder):
    """Reads a preset of `BertBackbone`, with the head if it is one of a task; `InputError` says what is wrong."""
    settings = load_json(folder / CONFIG)
    if settings.get("class_name") != "BertBackbone":
        raise InputError(f"{folder} is a preset of {settings.get('class_name')}. Only BertBackbone can be read.")
    theirs = member(settings, "config", {}, folder / CONFIG) | {OWN: settings.get(OWN)}
    fixed = FIXED | {"attention_dropout": theirs.get("dropout", 0.1)}
    encoder = read_encoder(FIELDS, {}, theirs, folder / CONFIG, **fixed)
    weights = zero_pooler.drop_empty(read_rows(_table(encoder), hdf5.read(folder / WEIGHTS)))
    weights |= keras_hub_task.read_head(folder)
    text, vocabulary = keras_hub_task.read_text(folder)
    own_text, _ = read_own(settings, folder / CONFIG)
    return Checkpoint(encoder, weights, own_text or text, vocabulary, read_task(folder))


def write(checkpoint, folder):
    """Writes the files into `folder`; returns what could not be carried over, a line each."""
    encoder = checkpoint.encoder
    if encoder.activation not in GELUS:
        raise InputError(f"keras-hub's BERT computes gelu only; this model has {encoder.activation!r}.")
    fixed = FIXED | {"attention_dropout": encoder.hidden_dropout}
    settings, notes = write_encoder(FIELDS, {}, encoder, **fixed)
    own = settings.pop(OWN, {})
    backbone = keras_hub_task.serialized("bert_backbone", "BertBackbone", settings)
    save_json(folder / CONFIG, write_own(backbone | {OWN: own}, checkpoint))
    weights, missing = zero_pooler.fill(checkpoint)
    tensors, left_out = write_rows(_table(encoder), weights)
    hdf5.write(folder / WEIGHTS, tensors)
    keras_hub_task.write_text(folder, checkpoint)
    carried = keras_hub_task.write_head(folder, checkpoint, backbone)
    if carried == "masked_lm":
        notes += masked_lm_notes(checkpoint, **keras_hub_task.MASKED_LM)
    return notes + missing + [line for line in left_out if line.split()[0] != carried]
