"""ONNX files, by tf2onnx, and their answers by onnxruntime."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.core.quiet_stderr import quiet_stderr

FILE = "model.onnx"
_OPSET = 18  # the newest of tf2onnx; from it on means stay means, which onnxruntime finds layer norms by
_MOST_BYTES = 2**31  # of a protocol buffer


def check_packages() -> None:
    """Raises `ImportError` where a package of the extra is missing."""
    import onnxruntime  # noqa: F401
    import tf2onnx  # noqa: F401


def write(function: Any, model: keras.Model, folder: pathlib.Path) -> None:
    """Writes the file of a concrete function and the variables of `model`.

    Raises:
        InputError: the weights are too large for one file, or tf2onnx lacks an operator.
    """
    import onnx
    from tf2onnx import optimizer, tf_loader
    from tf2onnx.tfonnx import process_tf_graph

    if 4 * model.count_params() >= _MOST_BYTES:
        raise InputError(f"An ONNX file holds 2 GiB, and the model has {model.count_params():,} weights.")
    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in function.outputs]
    specs = tf.nest.flatten(function.structured_input_signature)
    renamed = dict(zip(inputs, [spec.name for spec in specs], strict=True))
    renamed |= dict(zip(outputs, sorted(function.structured_outputs), strict=True))  # the order of tf.nest
    with quiet_stderr():
        graph_def = tf_loader.from_function(function, inputs, outputs)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(graph_def, name="")
            converted = process_tf_graph(
                graph, opset=_OPSET, input_names=inputs, output_names=outputs, tensors_to_rename=renamed
            )
        # With catch_errors it would copy the graph, weights included, before every step.
        content = optimizer.optimize_graph(converted, catch_errors=False).make_model(model.name)
    # Operators that tf2onnx does not know stay under TensorFlow's names.
    if unknown := sorted({node.op_type for node in content.graph.node if not onnx.defs.has(node.op_type)}):
        raise InputError(f"ONNX has no operators for this model: {', '.join(unknown)}.")
    (folder / FILE).write_bytes(content.SerializeToString())


def load(folder: pathlib.Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """The model in a folder, from {input: array} to {output: array}."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))

    return run
