"""The report on a model: numbers that agree with the task's own, intervals, pictures, the worst mistakes."""

import json

import numpy as np
import pytest

from bert_tf.core.errors import InputError
from bert_tf.data.readers.examples import FileConfig, files_of, read_examples
from bert_tf.evaluation.analysis import judge
from bert_tf.evaluation.confidence_intervals import intervals
from bert_tf.evaluation.evaluate import as_cell, evaluate
from bert_tf.evaluation.plots import calibration_error, reliability
from bert_tf.evaluation.results import class_table, confusion_counts
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextEmbedder, TextTagger
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

PNG = b"\x89PNG"


def test_an_interval_is_that_of_the_sample():
    right = np.array([1.0] * 80 + [0.0] * 20)
    (low, high) = intervals({"accuracy": lambda rows: right[rows].mean()}, 100)["accuracy"]
    # The mean of 100 draws has a deviation of 4 points: 95 % lie within 1.96 of them.
    assert low == pytest.approx(0.72, abs=0.015)
    assert high == pytest.approx(0.88, abs=0.015)
    assert intervals({"accuracy": lambda rows: right[rows].mean()}, 100)["accuracy"] == (low, high)


def test_calibration_by_hand():
    sure, right = np.array([0.95, 0.91, 0.55, 1.0]), np.array([True, False, True, True])
    centers, accuracy, counts = reliability(sure, right)
    assert counts.tolist() == [1, 3]
    np.testing.assert_allclose(centers, [0.55, (0.95 + 0.91 + 1) / 3])
    np.testing.assert_allclose(accuracy, [1, 2 / 3])
    assert calibration_error(sure, right) == pytest.approx(0.45 / 4 + (2.86 / 3 - 2 / 3) * 3 / 4)


def test_class_table_by_hand():
    counts = confusion_counts(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), 2)
    assert counts.tolist() == [[1, 1], [1, 2]]
    table = class_table(["a", "b"], counts.sum(1), counts.sum(0), counts.diagonal())
    assert table["b"] == {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "rows": 3}


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
def test_measures_of_all_rows_are_the_scores(file, settings, make, toys):
    model = make(Tokenizer(VOCABULARY))  # untrained: both right and wrong answers
    examples = fit_targets(read_examples(toys / file, FileConfig(**settings), model), model).checked(model)
    judgement = judge(model, examples)
    everything = np.arange(len(examples))
    assert model.SCORE in judgement.measures
    for name, measure in judgement.measures.items():
        assert measure(everything) == pytest.approx(judgement.scores[name]), name
    if judgement.confusion:
        assert judgement.confusion[1].sum() == (32 if file == "classes.tsv" else sum(map(len, examples.targets)))


@pytest.fixture(scope="module")
def report(toy, toys, tmp_path_factory):
    """(folder, results) of a report on texts of which two have a wrong label."""
    folder = tmp_path_factory.mktemp("report")
    lines = (toys / "classes.tsv").read_text().splitlines()
    lines[1:3] = ["neg\ta good film", "pos\tthe film is bad"]
    (folder / "wrong.tsv").write_text("\n".join(lines) + "\n")
    return folder / "report", evaluate(toy("classes")[0] / "model", folder / "wrong.tsv", output=folder / "report")


def test_a_report_has_numbers_pictures_and_mistakes(report):
    folder, results = report
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "calibration.png",
        "confusion.png",
        "metrics.json",
    ]
    assert all(path.read_bytes().startswith(PNG) for path in folder.glob("*.png"))
    assert results["scores"]["accuracy"] == 30 / 32
    low, high = results["intervals"]["accuracy"]
    assert 0.8 < low < 30 / 32 < high <= 1
    page = (folder / "README.md").read_text()
    assert f"| accuracy | 0.9375 | {low:.4f} to {high:.4f} |" in page
    assert "| neg | 0.938 | 0.938 | 0.938 | 16 |" in page
    assert "| line 2 | a good film | neg | pos (" in page
    assert "| line 3 | the film is bad | pos | neg (" in page
    assert "![Which classes are taken for which](confusion.png)" in page
    found = json.loads((folder / "metrics.json").read_text())
    assert found["intervals"]["accuracy"] == [low, high]
    assert found["rows"] == 32


def test_text_cannot_break_a_table():
    assert as_cell("a | b\n*c*") == "a \\| b \\*c\\*"
    assert len(as_cell("x" * 1000)) == 301


def test_a_model_knows_how_its_files_are_read(toy, toys, tmp_path):
    model = toy("scores")[0] / "model"
    assert files_of(model) == FileConfig(columns=("a", "b"), target="score")
    results = evaluate(model, toys / "scores.tsv", output=tmp_path / "report")
    assert [path.name for path in (tmp_path / "report").glob("*.png")] == ["scores.png"]
    assert results["rows"] == 32


def test_a_file_of_another_task_is_refused(toy, toys):
    with pytest.raises(InputError, match=r"tags.bio"):
        evaluate(toy("classes")[0] / "model", toys / "tags.bio")
