"""The report on a model: metrics, intervals, plots, the worst errors."""

import json

import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.readers.examples import FileConfig, files_of
from bert_tf.evaluation.evaluate import as_cell, evaluate
from bert_tf.tasks import FillMask
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def report(toy, toys, tmp_path_factory):
    """(folder, results) of a report on texts of which two have a wrong label."""
    folder = tmp_path_factory.mktemp("report")
    lines = (toys / "classes.tsv").read_text().splitlines()
    lines[1:3] = ["neg\ta good film", "pos\tthe film is bad"]
    (folder / "wrong.tsv").write_text("\n".join(lines) + "\n")
    return folder / "report", evaluate(toy("classes")[0] / "model", folder / "wrong.tsv", output=folder / "report")


def test_a_report_has_numbers_plots_and_errors(report):
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
    assert "| accuracy, always neg | 0.5000 | |" in page
    assert results["baseline"] == {"metric": "accuracy", "score": 0.5, "answer": "neg"}
    assert "| line 2 | a good film | neg | pos (" in page
    assert "| line 3 | the film is bad | pos | neg (" in page
    assert "## Confusion matrix\n\n![Confusion matrix](confusion.png)" in page
    assert "## Calibration\n\n![Calibration](calibration.png)" in page
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
    assert "## Predicted against true scores" in (tmp_path / "report/README.md").read_text()
    assert results["rows"] == 32


def test_a_file_of_another_task_is_refused(toy, toys):
    with pytest.raises(InputError, match=r"tags.bio"):
        evaluate(toy("classes")[0] / "model", toys / "tags.bio")


def test_a_task_without_metrics_is_refused(toys, tmp_path):
    FillMask(Tokenizer(VOCABULARY), **SIZES).save_pretrained(tmp_path / "model")
    with pytest.raises(ConfigError, match="fill_mask, which has no metrics. Evaluated are classification, "):
        evaluate(tmp_path / "model", toys / "classes.tsv")
