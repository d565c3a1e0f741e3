"""The trained head of a folder is taken, or the reason is said; settings of heads that cannot be are refused."""

import dataclasses
import json
import logging
import math

import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import InputError
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextTagger
from bert_tf.weights import read_model, write_model
from tests.weights.samples import make

CONFIGS = {"bert_tf": "config.json", "google": "bert_config.json", "huggingface": "config.json"}


def written(tmp_path, kind, format="bert_tf", **changes):
    checkpoint = dataclasses.replace(make(kind, activation="gelu_tanh"), **changes)
    write_model(checkpoint, tmp_path / "model", format)
    return tmp_path / "model", checkpoint.weights


def edit_task(folder, **changes):
    settings = json.loads((folder / "config.json").read_text())
    settings["task"] |= changes
    (folder / "config.json").write_text(json.dumps(settings))


def messages(caplog):
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("format", CONFIGS)
def test_a_head_whose_task_no_file_names_is_taken_where_its_shapes_fit(tmp_path, format, caplog):
    folder, weights = written(tmp_path, "classification", format)
    path = folder / CONFIGS[format]
    settings = json.loads(path.read_text())
    unnamed = {"architectures": ["BertModel"]} if format == "huggingface" else {"task": {}, "bert_tf": {}}
    path.write_text(json.dumps(settings | unnamed))
    with caplog.at_level(logging.WARNING, "absl"):
        model = TextClassifier.from_pretrained(folder, labels=["a", "b", "c"])
    np.testing.assert_array_equal(model.classifier.kernel, weights["classifier/kernel"])
    assert messages(caplog) == []
    tagger = TextTagger.from_pretrained(folder, labels=["O", "B-X", "I-X"])
    np.testing.assert_array_equal(tagger.classifier.kernel, weights["classifier/kernel"])


def test_a_head_without_names_for_its_outputs_asks_for_them(tmp_path):
    folder, _ = written(tmp_path, "classification", "google", task={})
    with pytest.raises(InputError, match=r"has a head of 3 outputs and no names for them: give labels=\[...\]"):
        TextClassifier.from_pretrained(folder)
    with pytest.raises(InputError, match=r"names no task for its heads.*TextClassifier, .*TextTagger"):
        bert_tf.load(folder)


def test_a_conversion_says_that_a_head_has_no_name(tmp_path):
    folder, _ = written(tmp_path, "classification", "google", task={})
    (note,) = write_model(read_model(folder), tmp_path / "new")
    assert note == "No file names the task of the head classifier: open it as that task, with its labels."


def test_a_head_of_another_size_is_left_and_said(tmp_path, caplog):
    folder, _ = written(tmp_path, "classification", "google", task={})
    with caplog.at_level(logging.WARNING, "absl"):
        model = TextClassifier.from_pretrained(folder, labels=["a", "b"])
    assert model.classifier.kernel.shape == (8, 2)
    left, fresh = messages(caplog)
    assert left == (
        f"{folder} has a head classifier of 3 outputs for the task that it does not name, which is not taken: "
        "this model's has other outputs."
    )
    assert "has no" not in fresh


def test_googles_question_answerers_open_as_they_are(tmp_path):
    folder, weights = written(tmp_path, "question_answering", "google", task={})
    settings = json.loads((folder / "bert_config.json").read_text())
    del settings["bert_tf"]
    (folder / "bert_config.json").write_text(json.dumps(settings))
    model = bert_tf.load(folder)
    assert isinstance(model, QuestionAnswerer)
    np.testing.assert_array_equal(model.answer_span.kernel, weights["answer_span/kernel"])


def test_labels_that_are_numbers_keep_the_trained_head(tmp_path):
    folder, weights = written(tmp_path, "classification")
    edit_task(folder, labels=[0, 1, 2])
    model = bert_tf.load(folder)
    assert model.labels == ["0", "1", "2"]
    np.testing.assert_array_equal(model.classifier.kernel, weights["classifier/kernel"])


def test_other_labels_that_the_caller_gives_are_a_fresh_head(tmp_path, caplog):
    folder, weights = written(tmp_path, "classification")
    with caplog.at_level(logging.WARNING, "absl"):
        model = TextClassifier.from_pretrained(folder, labels=["x", "y", "z"])
    assert not np.array_equal(model.classifier.kernel, weights["classifier/kernel"])
    assert "has a head classifier of 3 outputs for the task classification, which is not taken" in messages(caplog)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["a", "b"]}, "name 2 labels; the head classifier has 3 outputs"),
        ({"labels": ["a", "b", "c", "d"]}, "name 4 labels; the head classifier has 3 outputs"),
        ({"labels": []}, "name 0 labels; the head classifier has 3 outputs"),
        ({"labels": ["a", "b", "a"]}, "'a' is twice among the labels"),
        ({"labels": [1, "1", 2]}, "'1' is twice among the labels"),
        ({"labels": ["a", None, "b"]}, "'None' among the labels"),
        ({"labels": ["a", True, "b"]}, "'True' among the labels"),
        ({"labels": ["a", 1.5, "b"]}, "'1.5' among the labels"),
        ({"labels": {"a": 0, "b": 1, "c": 2}}, "should be a list of names"),
        ({"labels": "abc"}, "should be a list of names"),
        ({"max_length": "x"}, "max_length"),
        ({"max_length": -1}, "max_length"),
        ({"stride": 1.5}, "stride"),
        ({"pooling": 5}, "pooling"),
        ({"problem_type": []}, "problem_type"),
        ({"name": ["classification"]}, "name"),
        ({"masked_lm_epsilon": math.nan}, "masked_lm_epsilon is nan"),
        ({"masked_lm_activation": 7}, "masked_lm_activation"),
    ],
)
def test_settings_that_no_head_can_have(tmp_path, changes, message):
    folder, _ = written(tmp_path, "classification")
    edit_task(folder, **changes)
    with pytest.raises(InputError) as caught:
        read_model(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_any_number_of_labels_is_counted_before_names_are_made(tmp_path):
    folder, _ = written(tmp_path, "classification", "huggingface")
    settings = json.loads((folder / "config.json").read_text())
    del settings["id2label"]
    (folder / "config.json").write_text(json.dumps(settings | {"num_labels": 10**12}))
    with pytest.raises(InputError, match="1000000000000 labels. A head has at most"):
        read_model(folder)
