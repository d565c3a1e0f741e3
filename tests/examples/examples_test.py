"""The scripts of examples/ run with tiny models; none has more than 40 lines."""

import pathlib
import runpy
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
# The model that a script starts from, its output, and words that it prints.
SCRIPTS = {
    "sentiment": ("pretrained", "model", "a warm film: "),
    "entities": ("pretrained", "model", "'f1': "),
    "questions": ("pretrained", "model", "When is it closed? "),
    "search": ("pretrained", "vectors.npy", "cannot log in\n  "),
    "phone": ("classifier", "sentiment.tflite", '"quantize": "int8"'),
    "distillation": ("classifier", "student", " of the student"),
    "explanation": ("classifier", "explained.html", "with all words masked"),
}


def run(name, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs(name, models, tmp_path, monkeypatch, capsys):
    model, output, printed = SCRIPTS[name]
    run(name, monkeypatch, models / model, tmp_path / "runs" / output)  # as in a fresh checkout, without runs/
    assert printed in capsys.readouterr().out
    assert (tmp_path / "runs" / output).exists()


def test_pretraining_on_chinese_text(chinese_text, tmp_path, monkeypatch):
    run("pretraining", monkeypatch, chinese_text, tmp_path / "own", 2, 31)
    assert (tmp_path / "own/pretraining/model/config.json").is_file()
    assert "房" in (tmp_path / "own/vocab.txt").read_text(encoding="utf-8").split("\n")


def test_scripts_are_short_and_all_tried():
    lines = {path.stem: len(path.read_text().splitlines()) for path in EXAMPLES.glob("*.py")}
    assert set(lines) == {*SCRIPTS, "pretraining"}
    assert max(lines.values()) <= 40
