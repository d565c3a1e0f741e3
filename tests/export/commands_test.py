"""The verb, from the command line to the artifact, and the one line that is said of what cannot be done."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save_pretrained(folder)
    return folder


def run(*arguments):
    command = [sys.executable, "-m", "bert_tf", "export", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_tflite_is_scored_on_a_file(folder, tmp_path):
    rows = tmp_path / "rows.tsv"
    rows.write_text("label\tsentence\nx\tgood\n1\tbad\n", encoding="utf-8")
    path = tmp_path / "docs.tflite"
    flags = [f"--model={folder}", f"--output={path}", "--format=tflite", "--length=16,48", f"--accuracy_data={rows}"]
    done = run(*flags, "--max_drop=100", "data.columns=['sentence']")
    assert done.returncode == 0, done.stderr
    assert json.loads(path.with_suffix(".json").read_text())["score"]["rows"] == 2
    assert "accuracy" in done.stdout
    assert "48 pieces: outputs within" in done.stdout


def test_bfloat16_saved_model_of_a_version(folder, tmp_path):
    done = run(f"--model={folder}", f"--output={tmp_path}", "--version=3", "--dtype=bfloat16")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/3: answers within ")
    again = run(f"--model={folder}", f"--output={tmp_path}", "--version=3")
    assert (again.returncode, again.stderr) == (
        1,
        f"bert-tf: {tmp_path}/3 exists. Leave --version out for the next one, or remove it.\n",
    )


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--format=onnx"], 2, "Received: --format=onnx. Choose saved_model or tflite."),
        (["--dtype=int8"], 2, "Received: --dtype=int8. Choose float32 or bfloat16."),
        (["--format=tflite", "--length=a"], 2, "Received: --length=a. Write one number, or several as 32,128."),
        (["--format=tflite", "--length=900"], 2, "The model has positions for rows of up to 80 pieces."),
        (["--format=tflite", "--accuracy_data=none.tsv"], 1, "No such file: none.tsv"),
    ],
)
def test_what_cannot_be_done(folder, tmp_path, flags, code, message):
    done = run(f"--model={folder}", f"--output={tmp_path}/a", *flags)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_without_a_task(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run(f"--model={tmp_path}/empty", f"--output={tmp_path}/a")
    assert done.returncode == 1
    assert "holds no model that bert_tf knows" in done.stderr
