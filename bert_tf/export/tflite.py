"""A TFLite file with everything that a phone needs inside, checked against Keras before it is kept."""

import json
import pathlib

import numpy as np

from bert_tf.core import features, files
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.export.accent_aliases import read_alike
from bert_tf.export.litert_model import LiteModel
from bert_tf.export.litert_task import at_length, on_device
from bert_tf.export.tflite_conversion import QUANTIZE, convert
from bert_tf.export.tflite_metadata import add_metadata
from bert_tf.export.tflite_outputs import head_of

# How far a file's outputs may be from Keras's, as a share of their own size. More means that it is broken, not coarse.
_MOST_ERROR = {"none": 1e-3, "float16": 1e-2, "int8": 0.3, "int8_full": 0.5}
_THREADS = (1, 2, 4)


def export_tflite(
    model, path, lengths, check_texts, quantize="int8", calibration=None, accuracy_data=None, max_drop=0.5
):
    """Writes a task model as a .tflite with metadata, vocabulary and labels, and a report beside it as JSON.

    Args:
        lengths: pieces a row, fixed in the file: a signature each, on the same weights.
        check_texts: texts, as the model takes them, on which the file is compared with Keras.
        quantize: "none", "float16", "int8" (dynamic range: int8 weights, activations quantized as they come), or
            "int8_full", in ranges learned from the texts `calibration`.
        accuracy_data: (texts, targets) on which both are scored, or None.
        max_drop: points of a hundred that the file's score may be below Keras's.

    Returns:
        The report, a dict. `ConfigError` for what cannot be converted; `InputError` for a file that differs too much,
        scores too low or is not finite, and then nothing is kept.
    """
    path = pathlib.Path(path)
    _check(model, path, lengths, quantize, calibration and accuracy_data)
    if not max_drop >= 0:
        raise ConfigError(f"Received: max_drop={max_drop}. It is a number of points from 0.")
    alike = read_alike(model.tokenizer)
    content = convert(model, head_of(model).to_file, lengths, quantize, calibration, list(alike.values()))
    vocabulary, labels = [*model.tokenizer.vocabulary, *alike], getattr(model, "labels", ())
    content = add_metadata(content, path.stem, f"BERT for {model.TASK}", vocabulary, labels)
    with files.atomic_file(path) as temporary, files.atomic_file(path.with_suffix(".json")) as report_file:
        temporary.write_bytes(content)
        lite = LiteModel(temporary)
        report = {"file": path.name, "mib": len(content) / 2**20, "quantize": quantize, "lengths": lite.lengths}
        report["error"] = {length: _error(model, lite, length, check_texts) for length in lite.lengths}
        if not max(report["error"].values()) <= _MOST_ERROR[quantize]:
            raise InputError(f"The file's outputs differ from Keras's by {report['error']} of their size; not kept.")
        if accuracy_data:
            report["score"] = _score(model, on_device(model, lite), accuracy_data, max_drop)
        report["latency_ms"] = _latency(temporary, lite.lengths)
        report_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _check(model, path, lengths, quantize, measured):
    if quantize not in QUANTIZE:
        raise ConfigError(f"Received: quantize={quantize!r}. Choose from {', '.join(QUANTIZE)}.")
    if quantize == "int8_full" and not measured:
        raise ConfigError(
            "int8_full learns its ranges from some hundred texts (--calibration FILE), and often costs accuracy, so it "
            "has to be scored (--accuracy_data FILE)."
        )
    least, most = len(model.TEXTS) + 2, model.config.max_positions  # a piece beside [CLS] and each [SEP]
    if not lengths or not all(least <= length <= most for length in lengths):
        raise ConfigError(f"Received: lengths {list(lengths)}. Rows of this model have {least} to {most} pieces.")
    if path == (report := path.with_suffix(".json")):
        raise ConfigError(f"Received: {path}. The report is written there: name the file {path.stem}.tflite.")
    for file in (path, report):
        if file.exists():
            raise InputError(f"{file} exists. Choose another --output, or remove it.")


def _error(model, lite, length, texts):
    """How far the file's outputs are from Keras's, those for padding left out; the largest of all outputs."""
    copy, head = at_length(model, length), head_of(model)
    inputs = copy.preprocess(copy.encode_texts(texts), length)
    rows = {name: inputs[name] for name in features.ENCODER_INPUTS}
    expected = {name: value.numpy() for name, value in head.to_file(copy(rows, training=False)).items()}
    real = rows[features.INPUT_MASK].numpy() > 0 if head.per_piece else slice(None)
    return max(_distance(value[real], expected[name][real]) for name, value in lite(rows).items())


def _distance(found, expected):
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _score(model, device, data, max_drop):
    scores = {"keras": model.score(*data)[model.SCORE], "tflite": device.score(*data)[model.SCORE]}
    drop = 100 * (scores["keras"] - scores["tflite"])
    if drop > max_drop:
        raise InputError(
            f"The file's {model.SCORE} is {scores['tflite']:.4f}, {drop:.2f} points below Keras's; not kept. "
            f"Choose another --quantize, or allow more than --max_drop={max_drop}."
        )
    return {"metric": model.SCORE, **scores, "drop_points": drop, "rows": len(data[1])}


def _latency(path, lengths):
    return {length: {threads: LiteModel(path, threads).latency(length) for threads in _THREADS} for length in lengths}
