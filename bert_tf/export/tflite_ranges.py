"""Quantizes weights and activations of a float .tflite to int8, where the ranges of calibration texts allow it."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from bert_tf.export.tflite_quantizer import open_quantizer, quantized

# Operators with integer activations. Layer norms and sums stay in float32: a norm is x * a + b with terms that nearly
# cancel each other out, and a residual sum has a few features far larger than the others.
_KINDS = ("FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX", "GELU", "TANH", "TRANSPOSE", "RESHAPE")
_MEASURED = ("FULLY_CONNECTED", "GELU")  # their outputs, which can stay float32
_RUNTIME = "2.17.0"  # the first one with a scale for each output of a dense layer that reads float32
_LOOKUP = "GATHER"  # in the token table, whose rows come out in int8
# Decibels that the variance of a tensor has to be above that of its rounding to eight bits. The outputs of feed-forward
# networks have outliers of a hundred standard deviations (Bondarenko et al. 2021), which leave less.
_LEAST = 20.0


def quantize_full(content: bytes, samples: Mapping[str, Sequence[dict[str, np.ndarray]]]) -> bytes:
    """The flatbuffer with int8 weights, a scale for each output, and int8 activations.

    Dense layers whose outputs lose too much by eight bits quantize their inputs at run time, as in "int8" files; GELUs
    stay float32 there.

    Args:
        content: of a float32 file.
        samples: {signature: inputs of each calibration text}.

    Raises:
        ConfigError: the package ai_edge_quantizer is missing.
    """
    work = open_quantizer(content, "int8_full")
    for kind in _KINDS:
        work.add_static_config(".*", kind, activation_num_bits=8, weight_num_bits=8)
    margins = signal_to_noise(content, samples)
    for _, _, operators in _signatures(content):
        for kind, name, _ in operators:
            scope = f"^{re.escape(name)};?$"
            if kind == _LOOKUP:
                work.add_static_config(scope, kind, activation_num_bits=8, weight_num_bits=8)
            elif margins[name] >= _LEAST:
                continue
            elif kind == "FULLY_CONNECTED":
                work.add_dynamic_config(scope, kind, num_bits=8)
            else:
                work.update_quantization_recipe(scope, kind, algorithm_key="no_quantize")
    return quantized(work, _RUNTIME, work.calibrate(dict(samples), num_threads=1))


def signal_to_noise(content: bytes, samples: Mapping[str, Sequence[dict[str, np.ndarray]]]) -> dict[str, float]:
    """{name of an operator's output: decibels of its variance above that of its rounding to 256 steps of its range}."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=1)
    found: dict[str, np.ndarray] = {}  # number of values, their sum, that of their squares, the least, the greatest
    for signature, subgraph, operators in _signatures(content):
        runner = interpreter.get_signature_runner(signature)
        for row in samples[signature]:
            runner(**row)
            for _, name, place in operators:
                value = interpreter.get_tensor(place, subgraph)
                before = found.get(name, np.array([0.0, 0.0, 0.0, np.inf, -np.inf]))
                sums = before[:3] + [value.size, value.sum(), np.square(value, dtype="float64").sum()]
                found[name] = np.array([*sums, min(before[3], value.min()), max(before[4], value.max())])
    return {name: _decibels(*numbers) for name, numbers in found.items()}


def _signatures(content: bytes) -> Iterator[tuple[str, int, list[tuple[str, str, int]]]]:
    """(signature, its subgraph, (kind, name of the output, its place) of its measured operators and of lookups)."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    kinds = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    for definition in graph.signatureDefs:
        subgraph, operators = graph.subgraphs[definition.subgraphIndex], []
        for operator in subgraph.operators:
            kind = kinds[graph.operatorCodes[operator.opcodeIndex].builtinCode]
            output = subgraph.tensors[operator.outputs[0]]
            if kind in (*_MEASURED, _LOOKUP) and output.type == schema.TensorType.FLOAT32:
                operators.append((kind, output.name.decode(), int(operator.outputs[0])))
        yield definition.signatureKey.decode(), definition.subgraphIndex, operators


def _decibels(count: float, total: float, squares: float, least: float, most: float) -> float:
    variance, noise = squares / count - (total / count) ** 2, ((most - least) / 255) ** 2 / 12
    return float(10 * np.log10(max(variance, 1e-30) / max(noise, 1e-30)))
