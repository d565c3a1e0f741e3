"""Losses and metrics given to `compile` by habit: of logits, whatever their names mean elsewhere, or refused."""

import keras
import numpy as np
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.tasks import TextClassifier, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.contract_test import CASES, first_rows, make
from tests.tasks.samples import SIZES, VOCABULARY

LOSSES = {
    "classification": ["sparse_categorical_crossentropy", "categorical_crossentropy"],
    "multi_label": ["binary_crossentropy", keras.losses.binary_crossentropy],
    "regression": ["mse", "mean_squared_error", keras.losses.MeanSquaredError()],
    "tagging": ["sparse_categorical_crossentropy", keras.losses.sparse_categorical_crossentropy],
    "question_answering": ["sparse_categorical_crossentropy"],
    "multiple_choice": ["sparse_categorical_crossentropy"],
}
CASE_LOSSES = [(name, loss) for name, losses in LOSSES.items() for loss in losses]


@pytest.mark.parametrize(("name", "loss"), CASE_LOSSES)
def test_a_loss_by_name_is_the_loss_of_logits(name, loss):
    case = CASES[name]
    model = make(case)
    rows, targets = first_rows(case, 4), case.targets[:4]
    model.compile("sgd", run_eagerly=True)
    expected = model.test_on_batch(rows, targets, return_dict=True)
    model.compile("sgd", loss, metrics=["mae" if name == "regression" else "accuracy"], run_eagerly=True)
    found = model.test_on_batch(rows, targets, return_dict=True)
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_loss_of_one_hot_targets_gets_them():
    model = make(CASES["classification"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    model.compile("sgd", loss, ["accuracy"], run_eagerly=True)
    found, accuracy = model.test_on_batch(["a good film"], ["pos"], return_dict=False)
    logits = model(["a good film"])
    assert found == pytest.approx(float(loss(np.array([[0.0, 1.0]]), logits)), abs=1e-5)
    assert accuracy == float(np.argmax(logits) == 1)
    model.fit(["good", "bad"], ["pos", "neg"], class_weight={"pos": 2}, verbose=0)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("classification", "binary_crossentropy"),
        ("classification", "mse"),
        ("classification", keras.losses.SparseCategoricalCrossentropy()),
        ("multi_label", keras.losses.BinaryCrossentropy()),
        ("multi_label", "sparse_categorical_crossentropy"),
        ("regression", "binary_crossentropy"),
        ("embedding", "mse"),
        ("question_answering", {"start_logits": "mse", "end_logits": "mse"}),
    ],
)
def test_a_loss_that_would_take_logits_for_something_else_is_refused(name, loss):
    with pytest.raises(ConfigError, match="leave the loss out"):
        make(CASES[name]).compile("adam", loss)


def test_metrics_of_probabilities_are_refused():
    of_keras = keras.metrics
    objects = (of_keras.AUC(), of_keras.Precision(), of_keras.BinaryAccuracy(), of_keras.BinaryCrossentropy())
    for metrics in (["AUC"], ["accuracy", "precision"], *([metric] for metric in objects)):
        with pytest.raises(ConfigError, match="which is of probabilities"):
            make(CASES["multi_label"]).compile("adam", "binary_crossentropy", metrics=metrics)


def test_metrics_of_logits_are_taken():
    of_keras = keras.metrics
    metrics = [of_keras.AUC(from_logits=True), of_keras.Precision(thresholds=0.0), of_keras.BinaryAccuracy(threshold=0)]
    model = make(CASES["multi_label"])
    model.compile("adam", metrics=metrics, run_eagerly=True)
    case = CASES["multi_label"]
    found = model.evaluate(case.texts, case.targets, verbose=0, return_dict=True)
    table = model.preprocessor.encode_targets(case.targets) > 0
    chosen = model.predict(case.texts, verbose=0) > 0
    assert found["binary_accuracy"] == pytest.approx(np.mean(chosen == table), abs=1e-5)
    make(CASES["regression"]).compile("adam", metrics=[of_keras.BinaryAccuracy()])  # of scores


def test_accuracies_of_other_targets_are_refused():
    for metric in ("categorical_accuracy", keras.metrics.CategoricalAccuracy()):
        with pytest.raises(ConfigError, match="targets are numbers of classes: give 'accuracy'"):
            make(CASES["classification"]).compile("adam", metrics=[metric])
    with pytest.raises(ConfigError, match="targets are one-hot"):
        make(CASES["classification"]).compile("adam", "categorical_crossentropy", ["sparse_categorical_accuracy"])
    make(CASES["classification"]).compile("adam", "categorical_crossentropy", ["categorical_accuracy"])


@pytest.mark.parametrize("task", [TextClassifier, TextTagger])
@pytest.mark.parametrize("labels", [["a", "a"], ["a"], [], "ab", 3, None, {"a": 0, "b": 1}])
def test_wrong_labels_are_refused_with_an_example(task, labels):
    with pytest.raises(ConfigError, match="Give the names of the classes"):
        task(Tokenizer(VOCABULARY), labels=labels, **SIZES)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_length", 0), ("max_length", "12"), ("max_length", float("nan")), ("hidden_size", "16"), ("num_heads", None)]
    + [("hidden_dropout", "0.1"), ("vocab_size", 12.5)],
)
def test_settings_of_another_type_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"Received: {name}="):
        TextClassifier(Tokenizer(VOCABULARY), ["a", "b"], **SIZES | {name: value})


def test_parts_of_a_batch_are_a_whole_number():
    for parts in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="accumulation_steps=.* at least 1"):
            make(CASES["classification"]).compile("adam", accumulation_steps=parts)


def test_a_number_of_labels_is_no_label():
    with pytest.raises(ConfigError, match="Received: num_labels=3. Give the names of the classes"):
        TextClassifier(Tokenizer(VOCABULARY), num_labels=3, **SIZES)
    assert TextClassifier(Tokenizer(VOCABULARY), labels=np.array(["a", "b"]), **SIZES).labels == ["a", "b"]
