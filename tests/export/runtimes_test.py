"""ONNX and OpenVINO: a folder that needs nothing else, its answers, and refusals."""

import json
import sys

import numpy as np
import pytest
import tensorflow as tf
import tokenizers

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export import onnx
from bert_tf.export.converter_forms import converter_forms
from bert_tf.export.runtimes import RUNTIMES, export_runtime
from bert_tf.export.signatures import check_request, concrete_function
from bert_tf.tasks import FillMask, MultipleChoice, TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.export.conftest import ENCODER, VOCABULARY
from tests.tasks.generation.task_test import make as make_writer

PACKAGES = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "openvino": ("openvino",)}


def skip_without(format):
    for package in PACKAGES[format]:
        pytest.importorskip(package, reason=f"needs the extra {format}")


@pytest.mark.parametrize("format", PACKAGES)
def test_numbers_of_texts_by_the_files_of_the_folder_alone(model, tmp_path, format):
    skip_without(format)
    folder = tmp_path / "exported"
    difference = export_runtime(model, folder, format, ["A good Café", "", "我 goodly bad " * 30])
    assert difference < 2e-5  # logits of some tens
    assert (folder / "labels.txt").read_text() == "x\ny\nz\n"
    assert json.loads((folder / "config.json").read_text())["task"]["labels"] == ["x", "y", "z"]
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_padding()
    run = RUNTIMES[format].load(folder)
    for texts in (["bad"], ["A good Café", "bad bad"], ["我 goodly"] * 5):  # of other sizes each
        encodings = tokenizer.encode_batch(texts)
        rows = {
            "input_ids": np.array([encoding.ids for encoding in encodings]),
            "attention_mask": np.array([encoding.attention_mask for encoding in encodings]),
            "token_type_ids": np.array([encoding.type_ids for encoding in encodings]),
        }
        expected = model(model.preprocessor(tf.constant(texts)), training=False)
        assert expected.shape == (len(texts), 3)
        np.testing.assert_allclose(run(rows)["logits"], expected, atol=2e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda tokenizer: TextClassifier(tokenizer, ["x", "y"], max_length=40, encoder="electra", **ENCODER),
        lambda tokenizer: FillMask(tokenizer, max_length=40, **ENCODER),
        lambda tokenizer: MultipleChoice(tokenizer, max_length=40, **ENCODER),
    ],
    ids=["electra", "fill_mask", "multiple_choice"],
)
def test_other_heads_and_inputs(make, tmp_path):
    skip_without("onnx")
    model = make(Tokenizer(VOCABULARY, TextConfig(special_tokens=True)))
    assert export_runtime(model, tmp_path / "exported", "onnx", check_request(model)) < 5e-5


@pytest.mark.parametrize("format", PACKAGES)
def test_refusals_leave_nothing(model, texts, tmp_path, monkeypatch, format):
    with pytest.raises(ConfigError, match=f"--format={format} for the task generation. A model that writes text can "):
        export_runtime(make_writer(max_target_length=3), tmp_path / "a", format, texts)
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="taken exists. Choose another --output, or remove it."):
        export_runtime(model, tmp_path / "taken", format, texts)
    monkeypatch.setitem(sys.modules, PACKAGES[format][-1], None)
    with pytest.raises(ConfigError, match=rf"--format={format} needs {PACKAGES[format][-1]}: .* 'bert_tf\[{format}\]'"):
        export_runtime(model, tmp_path / "a", format, texts)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_wrong_file_is_not_kept(model, texts, tmp_path, monkeypatch):
    skip_without("onnx")
    monkeypatch.setattr(onnx, "load", lambda folder: lambda rows: {"logits": np.zeros([len(rows["input_ids"]), 3])})
    with pytest.raises(InputError, match="The onnx model's answers differ from Keras by .* It was not kept."):
        export_runtime(model, tmp_path / "a", "onnx", texts)
    assert not list(tmp_path.iterdir())


def test_operators_that_onnx_lacks(model, tmp_path):
    skip_without("onnx")
    function = concrete_function([tf.TensorSpec([None], name="x")], lambda x: {"y": tf.math.erfc(x)})
    with pytest.raises(InputError, match="ONNX has no operators for this model: Erfc."):
        onnx.write(function, model, tmp_path)


def test_forms_end_with_their_block(model):
    rows = model.preprocessor(tf.constant(["good bad"]))
    expected = model(rows, training=False)
    with converter_forms(model):
        np.testing.assert_allclose(model(rows, training=False), expected, atol=2e-5)
    assert not [layer for layer in model._flatten_layers() if "call" in vars(layer)]
