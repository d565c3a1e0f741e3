"""Converts a task model to the bytes of a .tflite of built-in operators, which every LiteRT has."""

import contextlib
import functools
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.core.quiet_stderr import quiet_stderr
from bert_tf.export.litert_task import at_length
from bert_tf.export.signatures import SERVING_DEFAULT
from bert_tf.export.step_signatures import StepSignatures
from bert_tf.export.tflite_int4 import looked_up, quantize_int4
from bert_tf.export.tflite_metadata import INPUT_NAMES, input_names
from bert_tf.export.tflite_ranges import quantize_full
from bert_tf.tasks.base.task import Task

QUANTIZE = ("none", "float16", "int8", "int4_table", "int4", "int8_full")
INT4 = ("int4_table", "int4")
# Added to the attention scores of padding in int8_full: of the usual -30,000 eight bits keep no smaller differences.
_SOFT_MASK = -20.0


def signature_name(length: int, lengths: Sequence[int]) -> str:
    """The signature of rows of `length` tokens: the longest is the default, which readers of the file open."""
    return SERVING_DEFAULT if length == max(lengths) else f"tokens_{length}"


def step_name(signature: str, length: int, lengths: Sequence[int]) -> str:
    """As `signature_name`, of a signature of `StepSignatures` for sources of `length` tokens."""
    return signature if length == max(lengths) else f"{signature}_{length}"


def convert(
    model: Task,
    to_outputs: Callable[[Any], dict[str, tf.Tensor]],
    lengths: Sequence[int],
    quantize: str,
    calibration: Any = (),
    aliases: Sequence[int] = (),
) -> bytes:
    """The flatbuffer, with a signature per length: int32 [1, length] under `INPUT_NAMES` in, outputs [1, ...] out.

    A model of pictures or sounds also takes its pixels or samples and their masks, of one example.

    Args:
        to_outputs: from what the model's `call` returns to {name: tensor}.
        quantize: "none", "float16", "int8" (int8 weights, activations quantized at run time), "int4_table" or "int4"
            (the same with an int4 token table, or int4 weights; see tflite_int4.py) or "int8_full" (both int8, ranges
            learned from `calibration`; see tflite_ranges.py).
        calibration: for "int8_full": texts as the model's `predict_text` takes them.
        aliases: further ids, numbered from the vocabulary's size on, by the ids that they are read as.

    Raises:
        ConfigError: `INT4` or "int8_full" without the package ai_edge_quantizer.
        InputError: LiteRT lacks an operator.
    """
    if quantize == "int8_full":
        model = _with_soft_mask(model, max(lengths))
    names, functions = {}, {}  # length and function of each signature
    with _traced_for(quantize, model):
        for length in sorted(lengths, reverse=True):
            name = signature_name(length, lengths)
            names[name] = length
            functions[name] = _function(model, to_outputs, length, aliases)
    if quantize == "int8_full":
        with quiet_stderr():
            return quantize_full(_convert(model, functions, "none"), _samples(model, names, calibration))
    return _convert(model, functions, quantize)


def convert_steps(model: Task, lengths: Sequence[int], quantize: str) -> bytes:
    """As `convert`, of a model that writes text: the `StepSignatures` for sources of each of `lengths`."""
    functions = {}
    with _traced_for(quantize, model):
        for length in sorted(lengths, reverse=True):
            for signature, function in StepSignatures(model, length).functions().items():
                functions[step_name(signature, length, lengths)] = function
    return _convert(model, functions, quantize)


def _traced_for(quantize: str, model: Task) -> contextlib.AbstractContextManager[None]:
    return looked_up(model) if quantize in INT4 else contextlib.nullcontext()


def _convert(model: Task, functions: dict[str, Any], quantize: str) -> bytes:
    """The flatbuffer of concrete functions, a signature each.

    Converts a SavedModel that tracks the variables, because from a plain function the converter drops them silently.
    """
    module = tf.Module()
    module.parameters = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as folder, quiet_stderr():
        tf.saved_model.save(module, folder, functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize in ("float16", "int8"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            content = converter.convert()
            return quantize_int4(content, quantize == "int4_table") if quantize in INT4 else content
        except ConverterError as error:
            raise InputError(f"LiteRT has no operators for this model: {str(error).splitlines()[0]}") from None


def _with_soft_mask(model: Task, length: int) -> Task:
    """A copy of a task model that masks padding with `_SOFT_MASK`."""
    copy = at_length(model, length)
    for block in getattr(copy.encoder, "blocks", ()):  # a recurrent encoder has none
        block.call = functools.partial(_call_block, block.call)
    return copy


def _call_block(call: Callable[..., Any], x: tf.Tensor, mask: tf.Tensor, **kwargs: Any) -> Any:
    return call(x, tf.cast(mask < -1.0, tf.float32) * _SOFT_MASK, **kwargs)


def _function(
    model: Task, to_outputs: Callable[[Any], dict[str, tf.Tensor]], length: int, aliases: Sequence[int]
) -> Any:
    known_ids = tf.constant([*range(model.tokenizer.vocab_size), *aliases])  # [ids of the file]
    names, specs = input_names(model), model.token_specs()
    spec = []
    for ours, theirs in names.items():
        shape = [1, length] if ours in features.ENCODER_INPUTS else [1, *specs[ours].shape[1:]]
        spec.append(tf.TensorSpec(shape, specs[ours].dtype, name=theirs))

    @tf.function(input_signature=spec, autograph=False)
    def serve(ids: tf.Tensor, *others: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.gather(known_ids, ids), *others  # [1, length] each, then those of files
        return to_outputs(model(dict(zip(names, rows, strict=True)), training=False))

    return serve.get_concrete_function()


def _samples(model: Task, names: dict[str, int], texts: Any) -> dict[str, list[dict[str, np.ndarray]]]:
    """{signature: inputs of each calibration text} at the length of each."""
    samples = {}
    for name, length in names.items():
        copy = at_length(model, length)
        rows = copy.preprocessor(copy.preprocessor.encode_texts(texts), length)
        columns = {theirs: np.asarray(rows[ours], "int32") for ours, theirs in INPUT_NAMES.items()}
        count = len(columns[INPUT_NAMES[features.INPUT_IDS]])
        samples[name] = [{key: column[i : i + 1] for key, column in columns.items()} for i in range(count)]  # [1, S]
    return samples
