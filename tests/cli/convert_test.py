"""`bert-tf convert`: what it prints, and its exit codes."""

import json
import subprocess
import sys

import pytest

from bert_tf.weights import read_model, write_model
from tests.hub_server import serving
from tests.weights.samples import make


@pytest.fixture
def folder(tmp_path):
    write_model(make("pretrainer"), tmp_path / "model", "huggingface")
    return tmp_path / "model"


def test_convert(folder, tmp_path, bert_tf_command):
    result = bert_tf_command("convert", "--input", folder, "--output", tmp_path / "new", "--format", "keras_hub")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0].endswith("new: keras_hub, 46 weights (encoder, masked_lm, next_sentence).")
    assert "next_sentence has no place in the format and was left out." in result.stdout
    assert read_model(tmp_path / "new").encoder == read_model(folder).encoder


ONE_AFTER_THE_OTHER = """
import json, sys
from absl.testing import flagsaver
from bert_tf.cli.main import main
for command in json.loads(sys.argv[1]):
    sys.argv = ["bert-tf", *command]
    try:
        with flagsaver.flagsaver():
            main()
    except SystemExit as ended:
        print(f"code {ended.code or 0}")
"""


def in_a_process(*commands):
    """Runs `bert-tf` with each of the commands in one process; its standard output ends with their exit codes."""
    command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(commands)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_model_by_name(folder, tmp_path, monkeypatch):
    with serving({"me/model": {"main": folder}}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)  # read when a process imports huggingface_hub
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        result = in_a_process(
            ["convert", "--input", "hf://me/model", "--output", f"{tmp_path}/new"],
            ["convert", "--input", "hf://me/other", "--output", f"{tmp_path}/none"],
        )
    codes = [line for line in result.stdout.splitlines() if line.startswith("code ")]
    assert codes == ["code 0", "code 1"], result.stderr
    assert read_model(tmp_path / "new").encoder == read_model(folder).encoder
    assert "bert-tf: hf://me/other cannot be opened" in result.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--output", "hf://me/model"], 2, "Models are not uploaded"),
        (["--format", "onnx"], 2, "Unknown format 'onnx'"),
        (["--input", "nowhere"], 1, "No such model folder: nowhere"),
        ([], 1, "exists"),
        (["size=3"], 2, "size=3"),
    ],
)
def test_failures_are_one_line(folder, flags, code, message, bert_tf_command):
    result = bert_tf_command("convert", "--input", folder, "--output", folder, *flags)
    assert result.returncode == code
    lines = [line for line in result.stderr.splitlines() if line.startswith("bert-tf:")]
    assert len(lines) == 1
    assert message in lines[0]
