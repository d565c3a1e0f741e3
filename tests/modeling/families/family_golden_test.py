"""Every family gives the numbers of transformers, from its files, and from files that were read and written again."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from keras import ops

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.core.features import INPUT_IDS, INPUT_MASK, SEGMENT_IDS
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.heads import masked_lm_head
from bert_tf.tasks import TextClassifier
from bert_tf.weights import FORMATS, read_model, write_model

FOLDERS = [
    f"{family}_{head}"
    for family, heads in {
        "albert": ("pretraining", "question_answering", "sequence_classification", "token_classification"),
        "distilbert": ("masked_lm", "question_answering", "sequence_classification", "token_classification"),
        "electra": (
            "discriminator",
            "generator",
            "question_answering",
            "sequence_classification",
            "token_classification",
        ),
        "modernbert": ("masked_lm", "question_answering", "sequence_classification", "token_classification"),
        "roberta": ("masked_lm", "question_answering", "sequence_classification", "token_classification"),
        "xlm_roberta": ("masked_lm", "sequence_classification"),
    }.items()
    for head in heads
]


def assert_close(actual, expected, tolerance=1e-4):
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected, rtol=0, atol=tolerance)


def inputs_of(expected):
    ids, mask = expected["input_ids"], expected["attention_mask"]
    segments = expected["token_type_ids"] if "token_type_ids" in expected else np.zeros_like(ids)
    inputs = {INPUT_IDS: ids, INPUT_MASK: mask, SEGMENT_IDS: segments}
    return {name: value.astype("int32") for name, value in inputs.items()}


def test_encoder_opens_every_family(golden):
    expected = np.load(golden / "families/electra_generator/expected.npz")
    encoder = bert_tf.Encoder.from_pretrained(golden / "families/electra_generator")
    assert type(encoder) is bert_tf.ElectraEncoder
    assert_close(encoder(inputs_of(expected))["sequence_output"], expected["last_hidden_state"])
    with pytest.raises(InputError, match="family 'electra', not 'roberta'"):
        bert_tf.RobertaEncoder.from_pretrained(golden / "families/electra_generator")


def encoder_of(checkpoint):
    encoder = FAMILIES[checkpoint.family].encoder(**vars(checkpoint.encoder))
    encoder.assign(checkpoint.weights)
    return encoder


def head_outputs(checkpoint, encoder, outputs):
    """The outputs of the checkpoint's heads under the names of the reference."""

    def apply(name, x):
        return ops.matmul(x, checkpoint.weights[f"{name}/kernel"]) + checkpoint.weights[f"{name}/bias"]

    sequence, pooled = encoder.head_vectors(outputs["sequence_output"]), outputs["pooled_output"]
    found = {}
    if "masked_lm/bias" in checkpoint.weights:
        head = masked_lm_head(encoder)
        head.build()
        for variable in head.weights:
            variable.assign(checkpoint.weights[variable.path])
        found["masked_lm"] = head(sequence, encoder.embeddings.token.embeddings)
    if "replaced_token/output/kernel" in checkpoint.weights:
        hidden = keras.activations.gelu(apply("replaced_token/transform", sequence))
        found["logits"] = apply("replaced_token/output", hidden)[..., 0]
    if "next_sentence/kernel" in checkpoint.weights:
        found["sop_logits"] = apply("next_sentence", pooled)
    if "classifier/kernel" in checkpoint.weights:
        is_classifier = checkpoint.task["name"] == "classification"
        found["logits"] = apply("classifier", pooled if is_classifier else sequence)
    if "answer_span/kernel" in checkpoint.weights:
        spans = apply("answer_span", sequence)
        found |= {"start_logits": spans[..., 0], "end_logits": spans[..., 1]}
    return found


def compare(checkpoint, expected):
    encoder = encoder_of(checkpoint)
    outputs = encoder(inputs_of(expected), all_outputs=True)
    assert_close(outputs["hidden_states"][0], expected["embeddings"])
    found = head_outputs(checkpoint, encoder, outputs)
    if "masked_lm" in found:
        found["prediction_logits" if "prediction_logits" in expected else "logits"] = found.pop("masked_lm")
    compared = set()
    for outputs_of_call in (outputs, encoder(inputs_of(expected))):  # with and without attention probabilities
        assert_close(outputs_of_call["sequence_output"], expected["last_hidden_state"])
    for name, value in found.items():
        assert_close(value, expected[name])
        compared.add(name)
    rest = set(expected) - compared
    assert rest <= {"input_ids", "attention_mask", "token_type_ids", "last_hidden_state", "embeddings"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_outputs_are_those_of_transformers(golden, folder):
    expected = dict(np.load(golden / "families" / folder / "expected.npz"))
    compare(read_model(golden / "families" / folder), expected)


@pytest.mark.parametrize("format", ["huggingface", "bert_tf"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_written_folders_hold_the_same(golden, tmp_path, folder, format):
    checkpoint = read_model(golden / "families" / folder)
    assert write_model(checkpoint, tmp_path / "m", format) == []
    again = read_model(tmp_path / "m")
    assert again.family == checkpoint.family
    assert again.encoder == checkpoint.encoder
    assert again.task == checkpoint.task
    assert again.weights.keys() == checkpoint.weights.keys()
    for name, value in checkpoint.weights.items():
        np.testing.assert_array_equal(again.weights[name], value)
    if format == "huggingface":
        theirs = FORMATS[format]
        tensors = theirs.safetensors.stored(golden / "families" / folder)
        written = theirs.safetensors.stored(tmp_path / "m")
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        assert {name: tensor.shape for name, tensor in written.items()} == shapes


def test_a_modernbert_classifier_that_pools_all_tokens(golden, tmp_path):
    """As published ModernBERT is set: the mean of real tokens, then the head, then the classifier."""
    source = golden / "families/modernbert_sequence_classification"
    expected = np.load(source / "expected.npz")
    shutil.copytree(source, tmp_path / "a")
    settings = json.loads((source / "config.json").read_text()) | {"classifier_pooling": "mean"}
    (tmp_path / "a/config.json").write_text(json.dumps(settings))
    checkpoint = read_model(tmp_path / "a")
    assert checkpoint.task["pooling"] == "mean"
    real = expected["attention_mask"][..., np.newaxis]
    mean = (expected["last_hidden_state"] * real).sum(1) / real.sum(1)
    logits = encoder_of(checkpoint).head_vectors(mean) @ checkpoint.weights["classifier/kernel"]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(checkpoint.encoder.vocab_size - 4))]
    model = TextClassifier.from_checkpoint(dataclasses.replace(checkpoint, vocabulary=tokens), "a")
    assert_close(model(inputs_of(expected)), logits + checkpoint.weights["classifier/bias"])
    assert write_model(checkpoint, tmp_path / "b", "huggingface") == []
    assert json.loads((tmp_path / "b/config.json").read_text())["classifier_pooling"] == "mean"
