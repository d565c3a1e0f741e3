"""OpenVINO's files, .xml and .bin, and their answers."""

import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.core.quiet_stderr import quiet_stderr

FILE = "model.xml"


def check_packages() -> None:
    """Raises `ImportError` where the package of the extra is missing."""
    import openvino  # noqa: F401


def write(function: Any, model: keras.Model, folder: pathlib.Path) -> None:
    """Writes the files of a concrete function and the variables of `model`; `InputError` where an operator is missing.

    Converts a SavedModel: from a function OpenVINO makes further outputs of tensors that nothing reads.
    """
    import openvino
    from openvino.frontend import OpConversionFailure

    module = tf.Module()
    module.parameters = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as saved, quiet_stderr():
        tf.saved_model.save(module, saved, function)
        try:
            converted = openvino.convert_model(saved)
        except OpConversionFailure as error:
            raise InputError(f"OpenVINO has no operators for this model: {str(error).splitlines()[0]}") from None
        names = {spec.name for spec in tf.nest.flatten(function.structured_input_signature)}
        names |= function.structured_outputs.keys()
        for port in (*converted.inputs, *converted.outputs):
            port.get_tensor().set_names(port.get_names() & names)
        openvino.save_model(converted, folder / FILE, compress_to_fp16=False)


def load(folder: pathlib.Path) -> Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]:
    """The model in a folder, from {input: array} to {output: array}; it computes in float32."""
    import openvino

    compiled = openvino.Core().compile_model(folder / FILE, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        answers = compiled(dict(inputs))
        return {port.get_any_name(): answers[port] for port in compiled.outputs}

    return run
