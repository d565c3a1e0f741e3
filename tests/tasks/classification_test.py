"""The classifier on raw strings: learning, labels, folders, pairs."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.errors import ConfigError, InputError
from bert_tf.modeling.encoder import BertEncoder
from bert_tf.tasks.classification import TextClassifier
from bert_tf.text.tokenizer import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the", "is"]
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 32,
    "max_positions": 16,
}
TEXTS = ["a good film", "the film is bad", "good", "is a bad bad film"] * 8
LABELS = ["pos", "neg", "pos", "neg"] * 8


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(TEXTS, LABELS, epochs=12, batch_size=8, validation_data=(TEXTS, LABELS), verbose=0)
    return model


def test_learns_from_raw_strings(trained):
    assert trained.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)["accuracy"] == 1.0
    answers = trained.predict_text(["a good film", "the film is bad"])
    assert [answer["label"] for answer in answers] == ["pos", "neg"]
    for answer in answers:
        assert answer["probability"] == max(answer["probabilities"].values()) > 0.9
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_padding_does_not_change_an_answer(trained):
    alone = trained.predict(["bad"], verbose=0)
    beside = trained.predict(["bad", "the film is a good good good film"], verbose=0)
    np.testing.assert_allclose(alone[0], beside[0], atol=1e-5)


def test_folder_gives_the_same_model(trained, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.labels == ["neg", "pos"]
    assert loaded.max_length == 12
    np.testing.assert_array_equal(loaded.predict(TEXTS, verbose=0), trained.predict(TEXTS, verbose=0))


def test_new_labels_start_a_new_head_on_the_same_encoder(trained, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    other = TextClassifier.from_pretrained(tmp_path / "model", labels=["x", "y"])
    assert np.abs(other.classifier.kernel.numpy() - trained.classifier.kernel.numpy()).max() > 0
    np.testing.assert_array_equal(other.encoder.pooler.kernel.numpy(), trained.encoder.pooler.kernel.numpy())


def test_an_encoder_folder_is_no_task_model(tmp_path):
    BertEncoder(**SIZES).save_pretrained(tmp_path / "encoder", Tokenizer(VOCABULARY))
    with pytest.raises(InputError, match="no task model"):
        bert_tf.load(tmp_path / "encoder")
    assert TextClassifier.from_pretrained(tmp_path / "encoder", labels=["a", "b"]).max_length == 16


def test_a_folder_of_another_task_gives_its_encoder(trained, tmp_path):
    task = {"name": "embedding", "pooling": "mean", "normalize": True}
    BertEncoder(**SIZES).save_pretrained(tmp_path / "embedding", Tokenizer(VOCABULARY), task=task)
    model = TextClassifier.from_pretrained(tmp_path / "embedding", labels=["a", "b"])
    assert model.labels == ["a", "b"]
    assert model.max_length == 16
    with pytest.raises(ConfigError, match=r"labels=\[\]"):
        TextClassifier.from_pretrained(tmp_path / "embedding")


def test_a_regression_is_no_classification(trained, tmp_path):
    task = trained.task_settings() | {"problem_type": "regression"}
    BertEncoder(**SIZES).save_pretrained(tmp_path / "score", Tokenizer(VOCABULARY), task=task)
    with pytest.raises(InputError, match="trained for regression"):
        bert_tf.load(tmp_path / "score")


def test_targets(trained):
    np.testing.assert_array_equal(trained.encode_targets(["pos", "neg"]), [1, 0])
    np.testing.assert_array_equal(trained.encode_targets(np.array([1, 0])), [1, 0])
    with pytest.raises(InputError, match="Row 1 has the label 'good'. Labels: neg, pos"):
        trained.encode_targets(["pos", "good"])


def test_pairs_reach_the_model_as_two_segments(trained):
    batch = next(iter(trained.dataset((["a film"], ["is bad"]), ["neg"])))[0]
    assert batch["input_ids"].numpy().tolist() == [[2, 8, 7, 3, 10, 6, 3]]
    assert batch["segment_ids"].numpy().tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    assert trained.predict((["a film"], ["is bad"]), verbose=0).shape == (1, 2)


def test_keras_data_still_goes_through(trained):
    data = trained.dataset(TEXTS, LABELS)
    assert isinstance(data, tf.data.Dataset)
    assert trained.evaluate(data, verbose=0, return_dict=True)["accuracy"] == 1.0


def test_longer_rows_than_positions_are_refused():
    with pytest.raises(InputError, match="max_length=17.*16 positions"):
        TextClassifier(Tokenizer(VOCABULARY), ["a", "b"], max_length=17, **SIZES)
