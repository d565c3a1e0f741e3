"""From a task model to the bytes of a .tflite, of operators that every LiteRT has."""

import functools
import tempfile

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert import ConverterError

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.export.litert_task import at_length
from bert_tf.export.quiet_stderr import quiet
from bert_tf.export.signatures import SERVING_DEFAULT

# The names that MediaPipe and Model Maker give BERT's inputs.
INPUT_NAMES = {
    features.INPUT_IDS: "input_word_ids",
    features.INPUT_MASK: "input_mask",
    features.SEGMENT_IDS: "input_type_ids",
}
QUANTIZE = ("none", "float16", "int8", "int8_full")


def signature_name(length, lengths):
    """What the signature of rows of `length` pieces is called: the longest is the one that a file is opened by."""
    return SERVING_DEFAULT if length == max(lengths) else f"tokens_{length}"


def convert(model, to_outputs, lengths, quantize, calibration=(), alike=()):
    """The flatbuffer, with a signature for each length: int32 [1, length] under `INPUT_NAMES` in, outputs [1, ...].

    Goes by way of a SavedModel that tracks the variables: of a plain function the converter loses them unsaid.

    Args:
        to_outputs: from what the model's `call` gives to {name: tensor}.
        quantize: "none", "float16", "int8" (int8 weights, activations quantized as they come) or "int8_full" (both
            int8, in ranges learned from `calibration`).
        calibration: for "int8_full": texts, as the model takes them.
        alike: the ids that stand for those from the vocabulary's size on.
    """
    names = {signature_name(length, lengths): length for length in sorted(lengths, reverse=True)}
    model = _with_soft_mask(model, max(lengths)) if quantize == "int8_full" else model
    module = tf.Module()
    module.parameters = [variable.value for variable in model.variables]
    with tempfile.TemporaryDirectory() as folder, quiet():
        functions = {name: _function(model, to_outputs, length, alike) for name, length in names.items()}
        tf.saved_model.save(module, folder, functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(names))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8_full":
            converter.target_spec.supported_ops.append(tf.lite.OpsSet.TFLITE_BUILTINS_INT8)
            converter.representative_dataset = lambda: _samples(model, names, calibration)
        try:
            return converter.convert()
        except ConverterError as error:
            raise InputError(f"LiteRT has no operators for this model: {str(error).splitlines()[0]}") from None


def _with_soft_mask(model, length):
    """A copy of a task model in which scores of padding are lower by 20 and not by 30,000.

    Of numbers from -30,000 on, eight bits keep none of the differences between the scores.
    """
    copy = at_length(model, length)
    for block in getattr(copy.encoder, "blocks", ()):  # a recurrent encoder has none
        block.call = functools.partial(_call_block, block.call)
    return copy


def _call_block(call, x, mask, **kwargs):
    return call(x, tf.cast(mask < -1.0, tf.float32) * -20.0, **kwargs)


def _function(model, to_outputs, length, alike):
    real = tf.constant([*range(model.tokenizer.vocab_size), *alike])
    spec = [tf.TensorSpec([1, length], tf.int32, name=name) for name in INPUT_NAMES.values()]

    @tf.function(input_signature=spec, autograph=False)
    def serve(ids, *others):
        rows = tf.gather(real, ids), *others
        return to_outputs(model(dict(zip(INPUT_NAMES, rows, strict=True)), training=False))

    return serve.get_concrete_function()


def _samples(model, names, texts):
    """(signature, inputs) of each calibration text at each length, as the converter asks for them."""
    for name, length in names.items():
        copy = at_length(model, length)
        rows = copy.preprocess(copy.encode_texts(texts), length)
        for row in range(len(rows[features.INPUT_IDS])):
            yield name, {theirs: np.asarray(rows[ours][row : row + 1]) for ours, theirs in INPUT_NAMES.items()}
