"""The TFLite file: its operators, its inputs, its numbers."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from bert_tf.errors import ConfigError, InputError
from bert_tf.export.tflite import export_tflite, run_tflite


@pytest.mark.parametrize("quantize", ["none", "float16", "int8"])
def test_file_computes_what_keras_computes(model, texts, tmp_path, quantize):
    path = tmp_path / "model.tflite"
    assert export_tflite(model, path, 16, quantize, texts) == 1.0
    logits = run_tflite(path, model.preprocess(tf.constant(texts), 16))
    tolerance = {"none": 1e-5, "float16": 1e-3, "int8": 5e-2}[quantize]
    np.testing.assert_allclose(logits, model.predict(texts, verbose=0), atol=tolerance)


def test_only_builtin_operators_and_fixed_inputs(model, texts, tmp_path):
    path = tmp_path / "model.tflite"
    export_tflite(model, path, 12, "int8", texts)
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    names = {operator["op_name"] for operator in interpreter._get_ops_details()}
    assert "FULLY_CONNECTED" in names
    assert not [name for name in names if "Flex" in name or name == "CUSTOM"]
    assert {tuple(item["shape"]) for item in interpreter.get_input_details()} == {(1, 12)}
    weights = [item for item in interpreter.get_tensor_details() if item["dtype"] == np.int8]
    assert weights


def test_disagreement_is_not_kept(model, texts, tmp_path):
    path = tmp_path / "model.tflite"
    with pytest.raises(InputError, match="not kept"):
        export_tflite(model, path, 16, "int8", texts, min_agreement=1.1)
    assert not path.exists()


def test_unknown_quantization(model, texts, tmp_path):
    with pytest.raises(ConfigError, match="quantize='int4'"):
        export_tflite(model, tmp_path / "model.tflite", 16, "int4", texts)
