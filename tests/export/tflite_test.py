"""The TFLite file: its numbers, operators and names, and files that are refused."""

import dataclasses
import itertools
import json
import os
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export import tflite, tflite_ranges
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import on_device
from bert_tf.export.tflite import export_tflite
from bert_tf.export.tflite_conversion import convert
from bert_tf.export.tflite_outputs import outputs_of
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.export.conftest import ENCODER, VOCABULARY


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """A float file with rows of 48 and 16 tokens; read only."""
    path = tmp_path_factory.mktemp("lite") / "docs.tflite"
    texts = ["A good Café", "bad", "", "我 goodly bad " * 30]
    report = export_tflite(model, path, [16, 48], texts, "none", accuracy_data=(texts, ["x", "y", "z", "x"]))
    return path, report


def test_every_signature_computes_what_keras_computes(model, exported):
    lite = LiteRTModel(exported[0])
    assert lite.lengths == [48, 16]
    for length in lite.lengths:
        rows = model.preprocessor(tf.constant(["good bad", "cafe"]), length)
        expected = tf.nn.softmax(model(rows, training=False))
        np.testing.assert_allclose(lite(rows)["probabilities"], expected, atol=1e-5)


def test_names_are_those_that_mediapipe_and_model_maker_expect(exported):
    interpreter = Interpreter(model_path=str(exported[0]))
    assert {(item["name"], *item["shape"]) for item in interpreter.get_input_details()} == {
        ("serving_default_input_word_ids:0", 1, 48),
        ("serving_default_input_mask:0", 1, 48),
        ("serving_default_input_type_ids:0", 1, 48),
    }
    inputs = ["input_mask", "input_type_ids", "input_word_ids"]
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": inputs, "outputs": ["probabilities"]},
        "tokens_16": {"inputs": inputs, "outputs": ["probabilities"]},
    }


def test_signatures_share_their_weights(model, exported):
    assert exported[0].stat().st_size < 1.2 * 4 * model.count_params() + 30_000


def test_report(exported, model):
    path, report = exported
    kept = json.loads(path.with_suffix(".json").read_text())
    assert kept["lengths"] == report["lengths"] == [48, 16]
    assert kept["mib"] == path.stat().st_size / 2**20
    assert kept["score"]["tflite"] == kept["score"]["keras"]
    assert kept["score"]["rows"] == 4
    assert all(time > 0 for times in report["latency_ms"].values() for time in times.values())
    assert report["error"][48] < 1e-5


def test_answers_of_the_file(model, exported):
    texts = ["A good Café", "bad", "", "我 goodly bad"]
    found = on_device(model, LiteRTModel(exported[0])).predict_text(texts)
    for answer, expected in zip(found, model.predict_text(texts), strict=True):
        assert answer["label"] == expected["label"]
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)


@pytest.mark.parametrize(("quantize", "size"), [("float16", 0.6), ("int8", 0.45)])
def test_quantized_files(model, texts, tmp_path, exported, quantize, size):
    path = tmp_path / "model.tflite"
    report = export_tflite(model, path, [48], texts, quantize)
    assert report["error"][48] < {"float16": 5e-3, "int8": 0.05}[quantize]
    assert path.stat().st_size < size * exported[0].stat().st_size
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    assert not [code.customCode for code in graph.operatorCodes if code.customCode]
    kinds = {tensor.type for tensor in graph.subgraphs[0].tensors}
    assert (schema.TensorType.FLOAT16 if quantize == "float16" else schema.TensorType.INT8) in kinds


@pytest.mark.parametrize("quantize", ["int4", "int4_table"])
def test_int4_file(quantize, texts, tmp_path):
    keras.utils.set_random_seed(1)
    # Kernels of 256 KiB, which the quantizer writes after the flatbuffer, where the metadata's zip goes.
    sizes = ENCODER | {"initializer_range": 0.1, "intermediate_size": 4096}
    gentle = TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], **sizes)
    data, path = (texts, ["x", "y", "x", "y"]), tmp_path / "model.tflite"
    report = export_tflite(gentle, path, [48, 16], texts, quantize, None, data, max_drop=100.0)
    assert 0.001 < max(report["error"].values()) < 0.1
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    operators, types = schema.BuiltinOperator, schema.TensorType
    kinds = {"LOOKUP": set(), "DENSE": set()}  # (type, shape) of weights
    for operator in graph.subgraphs[0].operators:
        code = graph.operatorCodes[operator.opcodeIndex]
        if code.builtinCode in (operators.FULLY_CONNECTED, operators.EMBEDDING_LOOKUP):
            weights = graph.subgraphs[0].tensors[operator.inputs[1]]
            numbers = np.prod(weights.shape)
            stored = len(graph.buffers[weights.buffer].data)
            assert stored == (numbers / 2 if weights.type == types.INT4 else numbers)
            assert len(weights.quantization.scale) == weights.shape[0]  # one for each output or row
            kind = "DENSE" if code.builtinCode == operators.FULLY_CONNECTED else "LOOKUP"
            kinds[kind].add((weights.type, *weights.shape))
            if kind == "LOOKUP" or quantize == "int4":
                assert code.version == {"DENSE": 12, "LOOKUP": 4}[kind]
    dense = types.INT4 if quantize == "int4" else types.INT8
    assert kinds == {
        "LOOKUP": {(types.INT4, 11, 64)},
        "DENSE": {
            (dense, 4096, 64),
            (dense, 64, 4096),
            *((types.INT8, *shape) for shape in ((64, 64), (64, 2), (2, 64))),
        },
    }
    assert (
        path.stat().st_size < (0.6 if quantize == "int4" else 1.1) * gentle.count_params() + 130_000
    )  # both signatures share the weights, not the scales
    assert runtime_of(graph) == b"2.18.0"


def test_full_integer_file(texts, tmp_path):
    keras.utils.set_random_seed(1)
    gentle = TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], **ENCODER | {"initializer_range": 0.1})
    data, path = (texts, ["x", "y", "x", "y"]), tmp_path / "model.tflite"
    report = export_tflite(gentle, path, [48, 16], texts, "int8_full", texts, data, max_drop=100.0)
    assert max(report["error"].values()) < 0.1
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes()))
    kinds: dict = {}  # of the first input of each operator
    for operator in graph.subgraphs[0].operators:
        code = graph.operatorCodes[operator.opcodeIndex].builtinCode
        kinds.setdefault(code, set()).add(graph.subgraphs[0].tensors[operator.inputs[0]].type)
    operators, types = schema.BuiltinOperator, schema.TensorType
    for name in ("BATCH_MATMUL", "SOFTMAX", "GELU", "TANH"):
        assert kinds[getattr(operators, name)] == {types.INT8}, name
    for name in ("MEAN", "RSQRT", "SQUARED_DIFFERENCE"):
        assert kinds[getattr(operators, name)] == {types.FLOAT32}, name
    dense = [o for o in graph.subgraphs[0].operators if o.inputs[0] >= 0 and is_dense(graph, o)]
    assert len(dense) >= 6
    for operator in dense:
        activations, weights = (graph.subgraphs[0].tensors[i] for i in operator.inputs[:2])
        assert (activations.type, weights.type) == (types.INT8, types.INT8)
        assert len(weights.quantization.scale) == weights.shape[0]  # one for each output
    assert runtime_of(graph) == b"2.17.0"


def test_dense_layers_whose_outputs_lose_too_much_read_float32(texts, monkeypatch):
    # Equal shares of 256 steps: the variance is 255 ** 2 times that of the rounding.
    assert tflite_ranges._decibels(2.0, 0.0, 2 * 255**2 / 12, 0.0, 255.0) == pytest.approx(20 * np.log10(255))
    keras.utils.set_random_seed(1)
    gentle = TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], **ENCODER | {"initializer_range": 0.1})
    monkeypatch.setattr(tflite_ranges, "_LEAST", 1000.0)
    content = convert(gentle, outputs_of(gentle).to_file, [16], "int8_full", texts)
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    dense = [operator for operator in graph.subgraphs[0].operators if is_dense(graph, operator)]
    kinds = [[graph.subgraphs[0].tensors[i].type for i in operator.inputs[:2]] for operator in dense]
    assert [schema.TensorType.FLOAT32, schema.TensorType.INT8] in kinds
    assert all(activations == schema.TensorType.FLOAT32 for activations, _ in kinds)


def is_dense(graph, operator):
    return graph.operatorCodes[operator.opcodeIndex].builtinCode == schema.BuiltinOperator.FULLY_CONNECTED


def test_a_file_that_differs_is_not_kept(model, texts, tmp_path, monkeypatch):
    other = type(model)(model.tokenizer, model.labels, **dataclasses.asdict(model.config))
    monkeypatch.setattr(tflite, "convert", lambda model, *rest: convert(other, *rest))
    with pytest.raises(InputError, match="differ from Keras by"):
        export_tflite(model, tmp_path / "model.tflite", [16], texts, "none")
    assert not list(tmp_path.iterdir())


def test_a_file_that_scores_lower_is_not_kept(model, texts, tmp_path):
    long_texts = [
        f"{first} {second} good " * 4 + last
        for first, second, last in itertools.product(["bad", "café", "我"], repeat=3)
    ]
    labels = [answer["label"] for answer in model.predict_text(long_texts)]
    path, data = tmp_path / "model.tflite", (long_texts, labels)
    with pytest.raises(InputError, match="points below that of Keras; it was not kept"):  # only 8 tokens are read
        export_tflite(model, path, [8], texts, "none", accuracy_data=data)
    assert not list(tmp_path.iterdir())
    score = export_tflite(model, path, [8], texts, "none", accuracy_data=data, max_drop=100.0)["score"]
    assert score["keras"] == 1.0
    assert 0 < score["drop_points"] == pytest.approx(100 * (1 - score["tflite"]))


@pytest.mark.parametrize(
    ("lengths", "settings", "message"),
    [
        (
            [16],
            {"quantize": "int2"},
            "Received: quantize='int2'. Choose from none, float16, int8, int4_table, int4, int8_full.",
        ),
        ([16], {"quantize": "int4"}, "so it must be scored"),
        ([16], {"quantize": "int8_full"}, "--calibration"),
        ([16, 81], {}, r"Received: lengths \[16, 81\]. Rows of this model have 4 to 80 tokens."),
        ([3], {}, r"Received: lengths \[3\]. Rows of this model have 4 to 80 tokens."),
        ([0], {}, "Received: lengths"),
        ([], {}, "Received: lengths"),
        ([16], {"max_drop": float("nan")}, "Received: max_drop=nan. Give a number of percentage points from 0."),
    ],
)
def test_wrong_settings(model, texts, tmp_path, lengths, settings, message):
    with pytest.raises(ConfigError, match=message):
        export_tflite(model, tmp_path / "model.tflite", lengths, texts, **settings)
    assert not list(tmp_path.iterdir())


def test_a_task_without_outputs_for_phones(model, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(type(model), "SPEC", dataclasses.replace(model.SPEC, name="translation", tflite_outputs=""))
    with pytest.raises(ConfigError, match="cannot hold the task translation. It can hold: classification, "):
        export_tflite(model, tmp_path / "model.tflite", [16], texts)


@pytest.mark.parametrize("name", ["model.tflite", "model.json"])
def test_a_file_that_exists_stays(model, texts, tmp_path, name):
    (tmp_path / name).write_text("kept")
    with pytest.raises(InputError, match=f"{name} exists. Choose another --output, or remove it."):
        export_tflite(model, tmp_path / "model.tflite", [16], texts)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_only_a_new_file_is_written(model, texts, tmp_path):
    for path in ("/dev/full", "/", "."):
        with pytest.raises(InputError, match=f"^{path} is no regular file and is not replaced. Choose another --outp"):
            export_tflite(model, path, [16], texts)
    os.mkfifo(tmp_path / "model.tflite")
    with pytest.raises(InputError, match="model.tflite is no regular file"):
        export_tflite(model, tmp_path / "model.tflite", [16], texts)


def test_a_file_of_another_process_is_not_replaced(model, texts, tmp_path, monkeypatch):
    path = tmp_path / "model.tflite"
    monkeypatch.setattr(tflite, "_latency", lambda *arguments: path.write_text("of another process") and {})
    with pytest.raises(InputError, match="model.tflite exists and is not replaced."):
        export_tflite(model, path, [16], texts)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["of another process"]


def test_a_tokenizer_that_phones_lack_is_left_out(model, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(type(model.tokenizer), "ON_PHONES", False)
    path = tmp_path / "model.tflite"
    export_tflite(model, path, [16], texts, "none")
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["labels.txt"]
    assert b"vocab.txt" not in path.read_bytes()  # which the metadata would name
    assert LiteRTModel(path).lengths == [16]


@pytest.mark.parametrize(("quantize", "version"), [("none", b"2.9.0"), ("int8", b"2.17.0")])
def test_runtimes_that_the_docs_name_can_read_the_file(model, quantize, version):
    content = tflite.convert(model, tflite.outputs_of(model).to_file, [16], quantize)
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    assert runtime_of(graph) == version


def runtime_of(graph):
    named = {entry.name: bytes(graph.buffers[entry.buffer].data) for entry in graph.metadata}
    return named[b"min_runtime_version"].rstrip(b"\0")


def test_the_report_may_not_overwrite_the_file(model, texts, tmp_path):
    with pytest.raises(ConfigError, match="The report is written there: name the file model.tflite."):
        export_tflite(model, tmp_path / "model.json", [16], texts)
    assert not list(tmp_path.iterdir())
