"""The verb `export`: from its flags to the artifact, and messages for wrong flags."""

import json
import shutil

import absl.flags
import pytest

from bert_tf.cli.export import export
from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import ConfigError, InputError
from tests.tasks.generation.task_test import make as make_writer


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.save_pretrained(folder)
    return folder


def run(*overrides, **flags):
    values = absl.flags.FlagValues()
    for flag in VERBS["export"].flags:
        flag.define(values)
    values(["bert-tf", *(f"--{name}={value}" for name, value in flags.items())])
    export(values, overrides)


def test_tflite_is_scored_on_a_file(folder, tmp_path, capsys):
    """The file is read like the model's training data, except for overrides."""
    rows, path = tmp_path / "rows.tsv", tmp_path / "docs.tflite"
    rows.write_text("label\tsentence\nx\tgood\n1\tbad\n", encoding="utf-8")
    flags = {"output": path, "format": "tflite", "length": "16,48", "accuracy_data": rows, "max_drop": 100.0}
    trained = shutil.copytree(folder, tmp_path / "trained")
    (trained / "data.json").write_text('{"columns": ["sentence"], "target": "grade"}')
    with pytest.raises(InputError, match="grade"):
        run(model=trained, **flags)
    run("data.target=label", model=trained, **flags)
    assert json.loads(path.with_suffix(".json").read_text())["score"]["rows"] == 2
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert "48 tokens: outputs within" in printed


def test_int8_saved_model_is_scored(folder, tmp_path, capsys):
    rows = tmp_path / "rows.tsv"
    rows.write_text("label\ttext\nx\tgood\ny\tbad\n", encoding="utf-8")
    for dtype in ("float32", "int8"):
        run(model=folder, output=tmp_path / dtype, dtype=dtype, accuracy_data=rows, max_drop=100.0)
    printed = capsys.readouterr().out.splitlines()
    scored = [line for line in printed if line.startswith("  accuracy ")]
    assert len(scored) == 2
    assert scored[0].endswith("on 2 examples")
    card = (tmp_path / "int8/1/README.md").read_text()
    assert f"Scored: {scored[1].strip()}" in card
    assert "in int8 with a scale for each column or row" in card


def test_rows_that_cannot_be_used(folder, tmp_path):
    rows, path = tmp_path / "rows.tsv", tmp_path / "docs.tflite"
    rows.write_text("label\ttext\nx\tgood\nstrange\tbad\n", encoding="utf-8")
    flags = {"model": folder, "output": path, "format": "tflite", "accuracy_data": rows, "max_drop": 100.0}
    with pytest.raises(InputError, match="rows.tsv, line 3: has the label 'strange'.*--skip_bad_rows"):
        run(**flags)
    run(**flags, skip_bad_rows=True)
    assert json.loads(path.with_suffix(".json").read_text())["score"]["rows"] == 1


def test_bfloat16_saved_model_of_a_version(folder, tmp_path, capsys):
    run(model=folder, output=tmp_path, version=3, dtype="bfloat16")
    assert capsys.readouterr().out.startswith(f"SavedModel written to {tmp_path}/3; its answers are within ")
    with pytest.raises(InputError, match="3 exists. Leave --version out for the next one, or remove it."):
        run(model=folder, output=tmp_path, version=3)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"format": "pdf"}, "Received: --format=pdf. Choose one of saved_model, tflite, web, onnx, openvino."),
        ({"dtype": "int4"}, "Received: --dtype=int4. Choose one of float32, bfloat16, int8."),
        ({"version": -1}, "Received: --version=-1. Versions are numbers from 1 to 92"),
        ({"version": 2**63}, "Received: --version=92.*; 0 is the next."),
        ({"quantize": "int8"}, "Received: --quantize with --format=saved_model. It is only for tflite, web: leave it"),
        ({"format": "tflite", "attention": True}, "Received: --attention with --format=tflite. It is only for sa"),
        ({"format": "tflite", "length": "a"}, "Received: --length=a. Write one number, or several as 32,128."),
        ({"format": "tflite", "length": "900"}, r"Received: lengths \[900\]. Rows of this model have 4 to 80 tokens."),
        ({"format": "tflite", "quantize": "int8_full"}, "--calibration FILE"),
        ({"format": "web", "length": "8,16"}, "Received: --length=8,16 with --format=web. A page has one length."),
        ({"format": "web", "quantize": "int4"}, "--quantize=int4 with --format=web. Choose none, float16 or int8."),
        ({"format": "web", "runtime": "none"}, "--runtime=none, where @litertjs/core/package.json is missing. Run npm"),
        ({"format": "tflite", "calibration": "a.txt"}, "Received: --calibration with --quantize=int8. Only int8"),
        ({"format": "tflite", "max_drop": 1.0}, "Received: --max_drop without --accuracy_data FILE, whose"),
    ],
)
def test_wrong_flags(folder, tmp_path, flags, message):
    with pytest.raises(ConfigError, match=message):
        run(model=folder, output=tmp_path / "a", **flags)
    assert not list(tmp_path.iterdir())


def test_an_encoder_without_a_task(model, tmp_path, capsys):
    model.encoder.save_pretrained(tmp_path / "encoder", model.tokenizer)
    run(model=tmp_path / "encoder", output=tmp_path / "a")
    assert capsys.readouterr().out.startswith(f"SavedModel written to {tmp_path}/a/1; its answers are within ")
    with pytest.raises(ConfigError, match="A .tflite file cannot hold the task encoder. It can hold: classification"):
        run(model=tmp_path / "encoder", output=tmp_path / "a.tflite", format="tflite")


def test_files_that_are_missing(folder, tmp_path):
    with pytest.raises(InputError, match="No such file: .*none.tsv"):
        run(model=folder, output=tmp_path / "a", format="tflite", accuracy_data=tmp_path / "none.tsv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no model that bert_tf knows"):
        run(model=tmp_path / "empty", output=tmp_path / "a")


def test_a_model_that_writes_text_as_tflite(tmp_path, capsys):
    make_writer(max_target_length=3).save_pretrained(tmp_path / "model")
    rows, path = tmp_path / "rows.jsonl", tmp_path / "writer.tflite"
    rows.write_text('{"text": "good", "target": "bad"}\n')
    run(model=tmp_path / "model", output=path, format="tflite", quantize="none", accuracy_data=rows)
    printed = capsys.readouterr().out
    assert f"TFLite file written to {path}" in printed
    assert "8 tokens: outputs within 0.0% of Keras; latency" in printed
    assert "one token of a text:" in printed
    assert "rougeL" in printed
    assert json.loads(path.with_suffix(".json").read_text())["score"]["drop_points"] == 0
