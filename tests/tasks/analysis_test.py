"""Evaluation of every task: metrics of all examples agree with the task's own, and errors worked by hand."""

import types

import numpy as np
import pytest

from bert_tf.data.readers.examples import FileConfig, read_examples
from bert_tf.tasks import TASKS, QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
from bert_tf.tasks.base.analysis import analyze_scores
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.tasks.classification import analysis as classification
from bert_tf.tasks.question_answering import analysis as question_answering
from bert_tf.tasks.tagging import analysis as tagging
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY
from tests.training.recipes.conftest import toys  # noqa: F401


@pytest.mark.parametrize(
    ("file", "settings", "make"),
    [
        ("classes.tsv", {}, lambda t: TextClassifier(t, ["neg", "pos"], **SIZES)),
        (
            "labels.tsv",
            {},
            lambda t: TextClassifier(t, ["film", "neg", "pos"], problem_type="multi_label_classification", **SIZES),
        ),
        ("scores.tsv", {"columns": ("a", "b")}, lambda t: TextClassifier(t, problem_type="regression", **SIZES)),
        ("scores.tsv", {"columns": ("a", "b")}, lambda t: TextEmbedder(t, max_score=5.0, **SIZES)),
        ("tags.bio", {}, lambda t: TextTagger(t, ["O", "B-UP", "I-UP", "B-DOWN", "I-DOWN"], **SIZES)),
        ("tags.bio", {}, lambda t: TextTagger(t, ["O", "B-UP", "B-DOWN"], scheme=None, **SIZES)),
        ("questions.json", {}, lambda t: QuestionAnswerer(t, max_length=12, **SIZES)),
    ],
)
def test_metric_functions_of_all_examples_give_the_scores(file, settings, make, toys):  # noqa: F811
    model = make(Tokenizer(VOCABULARY))  # untrained: both right and wrong answers
    examples = fit_targets(read_examples(toys / file, FileConfig(**settings), model.SPEC), model).checked(model)
    result = TASKS[model.TASK].load("analyze")(model, examples)
    everything = np.arange(len(examples))
    assert model.SCORE in result.metric_functions
    for name, metric in result.metric_functions.items():
        assert metric(everything) == pytest.approx(result.scores[name]), name
    if result.confusion:
        assert result.confusion[1].sum() == (32 if file == "classes.tsv" else sum(map(len, examples.targets)))


def fake_model(answers, **attributes):
    """A model that gives fixed answers and has no metrics."""
    return types.SimpleNamespace(
        predict_text=lambda texts: answers,
        postprocessor=types.SimpleNamespace(compute_metrics=lambda answers, targets: {}),
        **attributes,
    )


def fake_examples(texts, targets):
    places = [f"line {i + 1}" for i in range(len(targets))]
    return types.SimpleNamespace(texts=texts, targets=targets, places=places)


def test_errors_of_a_tagger():
    words = ["Ada", "Lovelace", "met", "Babbage", "in", "London"]
    tags = ["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC"]
    entities = [
        {"type": "PER", "start": 0, "end": 2, "score": 0.75},
        {"type": "LOC", "start": 3, "end": 4, "score": 0.5},  # should be PER
    ]
    examples = fake_examples(([words, ["met"]],), [tags, ["O"]])
    result = tagging.analyze(fake_model([{"entities": entities}, {"entities": []}], scheme="IOB2"), examples)
    (error,) = result.errors
    assert (error.place, error.text) == ("line 1", "Ada Lovelace met Babbage in London")
    assert (error.target, error.prediction) == ("Babbage = PER, London = LOC", "Babbage = LOC")
    assert error.severity == 0.5 + 2 * 0.5  # the wrong one's score, and two that were missed
    assert result.classes["PER"] == {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "rows": 2}
    names, counts = result.confusion
    assert names == ["O", "LOC", "PER"]
    assert counts.tolist() == [[3, 0, 0], [1, 0, 0], [0, 1, 2]]  # words; rows are the true types
    confidence, correct = result.confidence
    assert (confidence.tolist(), correct.tolist()) == ([0.75, 0.5], [True, False])


def test_errors_of_labels():
    answers = [
        {"labels": ["x"], "probabilities": {"x": 0.75, "y": 0.25}},
        {"labels": ["y"], "probabilities": {"x": 0.125, "y": 0.875}},
    ]
    model = fake_model(
        answers,
        problem_type="multi_label_classification",
        labels=["x", "y"],
        preprocessor=types.SimpleNamespace(
            encode_targets=lambda targets: np.array([["x" in names, "y" in names] for names in targets], "float32")
        ),
    )
    result = classification.analyze(model, fake_examples((["a", "b"], ["", "c"]), [["x"], ["x"]]))
    (error,) = result.errors
    assert (error.severity, error.text, error.target, error.prediction) == (0.875 + 0.875, "b — c", "x", "y")
    confidence, correct = result.confidence  # of each label, or of its absence
    assert confidence.tolist() == [0.75, 0.75, 0.875, 0.875]
    assert correct.tolist() == [True, True, False, False]


def test_errors_of_answers():
    answers = [{"answer": "York", "score": 0.5}, {"answer": "", "score": 0.9}]
    context = "x" * 200 + "New York" + "y" * 200
    targets = [[{"text": "New York", "answer_start": 200}], []]
    examples = fake_examples((["Where?", "Who?"], [context, context]), targets)
    (error,) = question_answering.analyze(fake_model(answers, metric="squad"), examples).errors
    assert error.severity == pytest.approx((1 - 2 / 3) * 0.5)
    assert error.text == f"Where? — …{'x' * 80}New York{'y' * 80}…"
    assert (error.target, error.prediction) == ("New York", "York")


def test_errors_of_scores_are_those_whose_ranks_differ():
    true, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.9, 0.5, 2.0])
    result = analyze_scores(true, predicted, fake_examples((list("abcd"),), true), {})
    errors = [(error.text, error.target, error.prediction, error.severity) for error in result.errors]
    assert errors == [("b", "2.00", "0.90", 1.0), ("c", "3.00", "0.50", 1.0)]
