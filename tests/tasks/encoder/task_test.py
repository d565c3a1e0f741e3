"""A pretrained encoder without a task: opened, exported and served as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.tflite import export_tflite
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.serving.models import ModelConfig
from bert_tf.tasks import TextClassifier, TextEncoder, load
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model, write_model
from tests.serving.conftest import running
from tests.tasks.samples import SIZES, VOCABULARY

TEXTS = ["a good film", "", "is a bad bad film"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("encoder") / "model"
    BertEncoder(**SIZES, initializer_range=0.5).save_pretrained(folder, Tokenizer(VOCABULARY))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load(folder, encoders=True)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    return export_saved_model(model, tmp_path_factory.mktemp("models") / "encoder", TEXTS)


def test_vectors_of_texts_tokens_and_pairs(folder, exported):
    path, difference = exported
    assert difference < 1e-5
    signatures = tf.saved_model.load(str(path)).signatures
    encoder = BertEncoder.from_pretrained(folder)
    answers = signatures["serving_default"](text=tf.constant(TEXTS))
    tokens = [[2, 8, 5, 7, 3, 0, 0], [2, 3, 0, 0, 0, 0, 0], [2, 10, 8, 6, 6, 7, 3]]
    mask = [[1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0], [1] * 7]
    assert answers["input_mask"].numpy().tolist() == mask
    rows = {"input_ids": tokens, "input_mask": mask, "segment_ids": np.zeros([3, 7])}
    rows = {name: tf.constant(value, tf.int32) for name, value in rows.items()}
    expected, from_tokens = encoder(rows), signatures["tokens"](**rows)
    assert sorted(from_tokens) == sorted(expected) == ["pooled_output", "sequence_output"]
    for name, value in expected.items():
        np.testing.assert_allclose(answers[name], value, atol=1e-5)
        np.testing.assert_allclose(from_tokens[name], value, atol=1e-5)
    pair = signatures["pair"](text=tf.constant(["good"]), text_pair=tf.constant(["bad"]))
    assert pair["sequence_output"].shape == [1, 5, 16]


def test_server(model, exported):
    path, _ = exported
    with running(None, (ModelConfig("encoder", path.parent),)) as client:
        status, answer = client.post("/v1/models/encoder:predict", {"instances": TEXTS[:1]})
    assert status == 200
    (found,) = answer["predictions"]
    assert found["input_mask"] == [1] * 5
    (expected,) = model.predict_text(TEXTS[:1])
    np.testing.assert_allclose(found["sequence_output"], expected["sequence_output"], atol=1e-5)
    np.testing.assert_allclose(found["pooled_output"], expected["pooled_output"], atol=1e-5)


def test_without_the_weights_of_a_pooler(folder, tmp_path):
    checkpoint = read_model(folder)
    for name in ("kernel", "bias"):
        del checkpoint.weights[f"encoder/pooler/{name}"]
    write_model(checkpoint, tmp_path / "model")
    model = load(tmp_path / "model", encoders=True)
    assert list(model.predict_text(["good"])[0]) == ["sequence_output"]


def test_heads_of_pretraining_are_left_out_and_others_refused(tmp_path):
    tokenizer = Tokenizer(VOCABULARY)
    BertPretrainer(**SIZES).save_pretrained(tmp_path / "pretrained", tokenizer)
    model = load(tmp_path / "pretrained", encoders=True)
    assert not [name for name in model.named_weights if not name.startswith("encoder/")]
    classifier = TextClassifier(tokenizer, ["x", "y"], max_length=16, **SIZES)
    write_model(classifier.to_checkpoint(tokenizer, {}), tmp_path / "classifier")
    with pytest.raises(InputError, match="names no task for its heads"):
        load(tmp_path / "classifier", encoders=True)


def test_a_copy_by_its_config_and_the_folder_of_the_encoder(model, tmp_path):
    copy = keras.models.clone_model(model)
    assert isinstance(copy, TextEncoder)
    assert copy.pools
    model.save_pretrained(tmp_path / "model")
    assert read_model(tmp_path / "model").task == {}


def test_no_tflite(model, tmp_path):
    with pytest.raises(ConfigError, match="cannot hold the task encoder"):
        export_tflite(model, tmp_path / "model.tflite", [16], TEXTS)
