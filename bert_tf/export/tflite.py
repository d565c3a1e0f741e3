"""A TFLite file of built-in operators only, checked against Keras before it is kept."""

import contextlib
import os
import sys
import tempfile

import keras
import numpy as np
import tensorflow as tf

from bert_tf import features, files
from bert_tf.errors import ConfigError, InputError

QUANTIZE = ("none", "float16", "int8")


def export_tflite(model, path, length, quantize, check_texts, min_agreement=0.98):
    """Writes a task model as a .tflite that takes one row of pieces, int32 [1, length] each, and gives logits.

    Args:
        quantize: "none", "float16", or "int8" (dynamic range: int8 weights, activations quantized as they come).
        check_texts: texts on which the file must choose Keras's label, the share `min_agreement` of them at least.

    Returns:
        The share on which both chose the same label. Too low a share, an operator that phones lack, or an answer
        that is not finite raises `InputError`, and no file is kept.
    """
    if quantize not in QUANTIZE:
        raise ConfigError(f"Received: quantize={quantize!r}. Choose from {', '.join(QUANTIZE)}.")
    with files.atomic_file(path) as temporary:
        temporary.write_bytes(_convert(model, length, quantize))
        expected = np.argmax(model.predict(check_texts, verbose=0), -1)
        found = np.argmax(run_tflite(temporary, model.preprocess(tf.constant(check_texts), length)), -1)
        agreement = float(np.mean(expected == found))
        if agreement < min_agreement:
            raise InputError(f"The TFLite file chose Keras's label on {agreement:.1%} of the check texts; not kept.")
    return agreement


def run_tflite(path, inputs):
    """Logits [B, C] of the file at `path` for the rows of `inputs`, one row at a time, with LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    rows = {name: np.asarray(value, "int32") for name, value in inputs.items()}
    count = len(rows[features.INPUT_IDS])
    with _quiet():
        runner = Interpreter(model_path=str(path)).get_signature_runner()
        logits = [runner(**{name: value[i : i + 1] for name, value in rows.items()})["logits"][0] for i in range(count)]
    if not np.isfinite(logits).all():
        raise InputError(f"{path} answers with numbers that are not finite.")
    return np.stack(logits)


def _convert(model, length, quantize):
    """The flatbuffer; by way of a SavedModel, because a converted plain function loses Keras's weights unsaid."""
    spec = {name: tf.TensorSpec([1, length], tf.int32, name=name) for name in features.ENCODER_INPUTS}

    @tf.function(input_signature=list(spec.values()))
    def serve(*rows):
        return {"logits": model(dict(zip(spec, rows, strict=True)), training=False)}

    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint("serving_default", serve)
        archive.write_out(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        with _quiet():
            return converter.convert()


@contextlib.contextmanager
def _quiet():
    """Holds back what C++ libraries write to standard error, and shows it only if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
