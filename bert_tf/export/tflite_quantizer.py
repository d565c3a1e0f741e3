"""The quantizer of .tflite files, from the package ai_edge_quantizer, and the files that it writes."""

from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from bert_tf.core.errors import ConfigError

# Versions of operators by what they read (TensorFlow's op_version.cc), and the first runtimes that have them: the
# quantizer leaves those of the float32 file, and an older runtime would open a file that it cannot compute.
_FULLY_CONNECTED = 12  # int8 weights with a scale for each output
_EMBEDDING_LOOKUP = 4  # int4 rows with scales of their own
_MIN_RUNTIME, _VERSION_BYTES = "min_runtime_version", 16  # of a metadata entry, padded with zeros


def open_quantizer(content: bytes, form: str) -> Any:
    """A quantizer of the float32 flatbuffer `content`; `form` is named where its package is missing (`ConfigError`)."""
    try:
        from ai_edge_quantizer import quantizer
    except ImportError:
        raise ConfigError(f"--quantize={form} needs ai_edge_quantizer: pip install 'bert_tf[quantize]'") from None
    return quantizer.Quantizer(bytearray(content))


def quantized(work: Any, runtime: str, ranges: Any = None) -> bytes:
    """The quantized flatbuffer, with the first runtime that computes it, such as "2.17.0", in its metadata.

    The quantizer puts large buffers after the flatbuffer, where a file's metadata would be in their place: they are
    moved inside.
    """
    content = work.quantize(ranges, enable_progress_report=False).quantized_model
    graph = flatbuffer_utils.read_model_from_bytearray(content)
    operators = schema.BuiltinOperator
    versions = {operators.FULLY_CONNECTED: _FULLY_CONNECTED, operators.EMBEDDING_LOOKUP: _EMBEDDING_LOOKUP}
    for code in graph.operatorCodes:
        code.version = max(code.version, versions.get(code.builtinCode, 1))
    for entry in graph.metadata:
        if entry.name.decode() == _MIN_RUNTIME:
            graph.buffers[entry.buffer].data = runtime.encode().ljust(_VERSION_BYTES, b"\0")
    return bytes(flatbuffer_utils.convert_object_to_bytearray(graph))
