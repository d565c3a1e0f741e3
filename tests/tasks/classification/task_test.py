"""The classifier on raw strings: learning, labels, folders, pairs."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model, write_model
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(TEXTS, LABELS, epochs=12, batch_size=8, validation_data=(TEXTS, LABELS), verbose=0)
    return model


def make(**settings):
    return TextClassifier(Tokenizer(VOCABULARY), max_length=12, **SIZES | settings)


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
    for mine, theirs in zip(loaded.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    # Where in memory a weight lies changes the order of the sums over so few rows.
    np.testing.assert_allclose(loaded.predict(TEXTS, verbose=0), trained.predict(TEXTS, verbose=0), rtol=0, atol=1e-6)


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


def test_a_head_of_another_kind_starts_fresh(trained, tmp_path):
    """A tagger's head has the shape of a classifier's; labels alone do not make it one."""
    trained.save_pretrained(tmp_path / "model")
    checkpoint = read_model(tmp_path / "model")
    tagger = dataclasses.replace(checkpoint, task=checkpoint.task | {"name": "tagging"})
    model = TextClassifier.from_checkpoint(tagger, "there", labels=["neg", "pos"])
    assert np.abs(model.classifier.kernel.numpy() - trained.classifier.kernel.numpy()).max() > 0
    scores = TextClassifier.from_pretrained(tmp_path / "model", labels=["s"], problem_type="regression")
    assert scores.classifier.kernel.shape == (16, 1)


@pytest.mark.parametrize("problem_type", ["regression", "multi_label_classification"])
def test_folders_of_other_problems_open_also_from_hugging_face(problem_type, tmp_path):
    labels = ["s"] if problem_type == "regression" else ["x", "y"]
    model = make(labels=labels, problem_type=problem_type)
    expected = model.predict_text(TEXTS[:4])
    assert set(expected[0]) == ({"score"} if problem_type == "regression" else {"labels", "probabilities"})
    model.save_pretrained(tmp_path / "ours")
    write_model(read_model(tmp_path / "ours"), tmp_path / "theirs", format="huggingface")
    for folder in ("ours", "theirs"):
        loaded = bert_tf.load(tmp_path / folder)
        assert (loaded.problem_type, loaded.labels) == (problem_type, labels)
        assert loaded.predict_text(TEXTS[:4]) == expected


def test_one_number_is_a_regression_where_nothing_is_said(tmp_path):
    assert TextClassifier.saved_settings({"labels": ["LABEL_0"]}, "there")["problem_type"] == "regression"
    with pytest.raises(InputError, match="there was trained for regression of 2 numbers"):
        TextClassifier.saved_settings({"labels": ["a", "b"], "problem_type": "regression"}, "there")


def test_targets(trained):
    np.testing.assert_array_equal(trained.preprocessor.encode_targets(["pos", "neg"]), [1, 0])
    np.testing.assert_array_equal(trained.preprocessor.encode_targets(np.array([1, 0])), [1, 0])
    np.testing.assert_array_equal(trained.preprocessor.encode_targets(tf.constant(["neg", "pos"])), [0, 1])
    for bad, shown in (("good", "'good'"), (2, "2"), (["pos"], r"\['pos'\]"), (None, "None"), (1.5, "1.5")):
        with pytest.raises(InputError, match=f"Row 1 has the label {shown}. Labels: neg, pos"):
            trained.preprocessor.encode_targets(["pos", bad])


def test_lists_of_labels():
    model = make(labels=["x", "y", "z"], problem_type="multi_label_classification")
    table = np.array([[1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(model.preprocessor.encode_targets([["x", 2], []]), table)
    np.testing.assert_array_equal(model.preprocessor.encode_targets(table), table)
    with pytest.raises(InputError, match="Row 1 has the target 'x'. Each text needs a list"):
        model.preprocessor.encode_targets([["y"], "x"])
    with pytest.raises(InputError, match=r"Row 1 has the targets \[0, 2, 0\]"):
        model.preprocessor.encode_targets(np.array([[0, 1, 0], [0, 2, 0]]))
    answers = [{"labels": ["x"]}, {"labels": ["y", "z"]}, {"labels": []}]
    # Right: x and z; wrong: y; missed: z in row 0. Of the classes, x and z: F1 1 and 2/3; y: 0.
    scores = model.postprocessor.compute_metrics(answers, [["x", "z"], ["z"], []])
    assert scores == pytest.approx({"micro_f1": 4 / 6, "macro_f1": 5 / 9, "accuracy": 1 / 3})


def test_scores_of_classes_by_hand(trained):
    """Three found positive, two of them rightly, of four: precision 2/3, recall 1/2."""
    found = ["pos", "pos", "pos", "neg", "neg", "neg", "neg"]
    truth = ["pos", "pos", "neg", "pos", "pos", "neg", "neg"]
    scores = trained.postprocessor.compute_metrics([{"label": label} for label in found], truth)
    assert scores["accuracy"] == pytest.approx(4 / 7)
    assert scores["f1"] == pytest.approx(4 / 7)  # of "pos"
    assert scores["macro_f1"] == pytest.approx((4 / 7 + 4 / 7) / 2)
    assert scores["matthews"] == pytest.approx((2 * 2 - 1 * 2) / np.sqrt(3 * 4 * 3 * 4))
    three = make(labels=["a", "b", "c"])
    assert "f1" not in three.postprocessor.compute_metrics([{"label": "a"}], ["b"])


def test_scores_of_a_regression_by_hand():
    model = make(problem_type="regression")
    scores = model.postprocessor.compute_metrics([{"score": score} for score in (1.0, 2.0, 3.0, 10.0)], ["2", 1, 3, 4])
    ranks = np.corrcoef([1, 2, 3, 4], [2, 1, 3, 4])[0, 1]
    assert scores["spearman"] == pytest.approx(ranks)
    assert scores["pearson"] == pytest.approx(np.corrcoef([1, 2, 3, 10], [2, 1, 3, 4])[0, 1])
    assert model.postprocessor.compute_metrics([{"score": 1.0}] * 3, [1, 2, 3]) == {"pearson": 0.0, "spearman": 0.0}
    with pytest.raises(InputError, match="Row 1 has the score inf"):
        model.preprocessor.encode_targets([1, float("inf")])


def test_class_weights(trained):
    assert trained.class_weights({"pos": 3}) == {0: 1.0, 1: 3.0}
    assert trained.class_weights({0: 2, "pos": 3}) == {0: 2.0, 1: 3.0}
    assert trained.class_weights("balanced", ["pos"] * 3 + ["neg"]) == pytest.approx({0: 2.0, 1: 2 / 3})
    with pytest.raises(ConfigError, match="class_weight for 'good'"):
        trained.class_weights({"good": 3})
    with pytest.raises(ConfigError, match="class_weight for regression"):
        make(problem_type="regression").class_weights({"s": 1})


def test_class_weights_count_in_the_loss():
    """Of a model that answers 1/2 to everything, weights change nothing but the way the answer leaves 1/2."""
    model = make(labels=["neg", "pos"])
    model.classifier.kernel.assign(0 * model.classifier.kernel)
    model.compile(keras.optimizers.SGD(1.0))
    model.fit(["good", "good"], ["neg", "pos"], class_weight={"pos": 3}, batch_size=2, verbose=0)
    # Gradient of the bias: the weighted mean of (probability - target) = (1/4) (1/2) - (3/4) (1/2).
    np.testing.assert_allclose(model.classifier.bias.numpy(), [-0.25, 0.25], atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_pooling_reads_real_pieces_and_leaves_the_pooler_alone(pooling, tmp_path):
    model = make(labels=["neg", "pos"], pooling=pooling)
    np.testing.assert_allclose(
        model.predict(["bad"], verbose=0)[0], model.predict(["bad", "the film is a film"], verbose=0)[0], atol=1e-5
    )
    assert not [variable for variable in model.trainable_variables if "pooler" in variable.path]
    model.save_pretrained(tmp_path / "model")
    assert bert_tf.load(tmp_path / "model").pooling == pooling
    notes = write_model(read_model(tmp_path / "model"), tmp_path / "theirs", format="huggingface")
    assert any(f"this model by the {pooling}" in note for note in notes)


def test_an_absent_second_text_is_none(trained):
    texts = ["a good film", "the film is bad"]
    assert trained.predict_text((texts, ["", ""])) == trained.predict_text(texts)
    with pytest.raises(InputError, match="2 of text, 1 of text_pair"):
        trained.predict_text((texts, ["x"]))
    with pytest.raises(InputError, match="tuple of 3 texts. classification reads text, text_pair"):
        trained.predict_text((texts, texts, texts))


def test_empty_texts_are_answered_but_not_learned(trained):
    assert trained.predict_text([""])[0]["label"] in ("neg", "pos")
    assert trained.predict_text([]) == []
    with pytest.raises(InputError, match="Row 1: the text is empty"):
        trained.fit(["good", " "], ["pos", "neg"])


def test_answers_keep_the_order_of_texts_of_all_lengths(trained):
    texts = [" ".join(["bad"] * (i * 7 % 10)) for i in range(40)]
    alone = [trained.predict_text([text])[0]["probability"] for text in texts[:10]]
    together = [answer["probability"] for answer in trained.predict_text(texts, batch_size=4)]
    np.testing.assert_allclose(together[:10], alone, atol=1e-5)


def test_each_epoch_has_an_order_of_its_own(trained, monkeypatch):
    """Batches of one row, told apart by their ids, as the training step sees them."""
    seen = []
    model = make(labels=["neg", "pos"])
    model.compile(run_eagerly=True)
    call = model.call
    monkeypatch.setattr(model, "call", lambda x, training=None: (seen.append(x["input_ids"].numpy()), call(x))[1])
    texts = ["good", "bad", "film", "a", "the", "is"]
    model.fit(texts, [0, 1] * 3, batch_size=1, epochs=3, seed=1, verbose=0)
    epochs = [[int(row[0, 1]) for row in seen[-18:]][first : first + 6] for first in (0, 6, 12)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    model.fit(texts, [0, 1] * 3, batch_size=1, epochs=3, initial_epoch=2, seed=1, verbose=0)
    assert [int(row[0, 1]) for row in seen[-6:]] == epochs[2]


def test_tables_of_strings_are_texts(trained):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": TEXTS, "label": LABELS})
    scores = trained.evaluate(table["text"], table["label"], verbose=0, return_dict=True)
    assert scores == trained.evaluate(TEXTS, LABELS, verbose=0, return_dict=True)


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
