"""Exports a .tflite with all that a phone needs inside, checked against Keras before it is kept."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features, files
from bert_tf.core.errors import ConfigError, InputError, already_exists
from bert_tf.export.comparison import compared_scores
from bert_tf.export.litert_generator import LiteRTGenerator, asset_files
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.litert_task import at_length, on_device
from bert_tf.export.signatures import label_lines
from bert_tf.export.tflite_conversion import INT4, QUANTIZE, convert, convert_steps
from bert_tf.export.tflite_metadata import add_files, add_metadata
from bert_tf.export.tflite_outputs import outputs_of
from bert_tf.tasks.base.task import Task
from bert_tf.text.tokenizers.accent_aliases import accent_aliases

# Largest relative error of a file's outputs. Above it the file is broken, not just coarse.
_MAX_ERROR = {"none": 1e-3, "float16": 1e-2, "int8": 0.3, "int4_table": 0.5, "int4": 0.5, "int8_full": 0.5}
_THREADS = (1, 2, 4)


def export_tflite(
    model: Task,
    path: str | os.PathLike,
    lengths: Sequence[int],
    check_texts: Any,
    quantize: str = "int8",
    calibration: Any = None,
    accuracy_data: tuple[Any, Any] | None = None,
    max_drop: float = 0.5,
) -> dict[str, Any]:
    """Writes a task model as a .tflite with metadata and labels, and a report beside it as JSON.

    The vocabulary is in the file where MediaPipe has the tokenizer; for other tokenizers an app needs its own. The file
    of a model that writes text has `StepSignatures` and the tokenizer's file; `LiteRTGenerator` writes texts with it.

    Args:
        lengths: tokens per row, fixed in the file; one signature each, over the same weights.
        check_texts: texts as the model's `predict_text` takes them, for the comparison with Keras.
        quantize: "none", "float16", "int8" (dynamic range: int8 weights, activations quantized at run time),
            "int4_table" or "int4" (the same with an int4 token table, or int4 weights), or "int8_full" (weights and
            activations, ranges learned from the texts `calibration`).
        accuracy_data: (texts, targets) on which both models are scored, or None.
        max_drop: percentage points that the file's score may be below that of Keras.

    Returns:
        The report.

    Raises:
        ConfigError: the settings do not fit the model or each other, or the task has no TFLite outputs.
        InputError: a file exists, or the new one differs too much, scores too low or is not finite; then nothing is
            kept.
    """
    path = pathlib.Path(path)
    _check(model, path, lengths, quantize, calibration, accuracy_data)
    if not max_drop >= 0:
        raise ConfigError(f"Received: max_drop={max_drop}. Give a number of percentage points from 0.")
    content = _content(model, path.stem, lengths, quantize, calibration)
    # Both files get their names only if no check below raises.
    with files.atomic_files([path, path.with_suffix(".json")], replace=False) as (temporary, report_file):
        temporary.write_bytes(content)
        litert = _open(model, temporary)
        errors = {length: _error(model, litert, length, check_texts) for length in litert.lengths}
        if not max(errors.values()) <= _MAX_ERROR[quantize]:  # also refuses NaN
            raise InputError(
                f"The file's outputs differ from Keras by {errors} of their size; at most "
                f"{_MAX_ERROR[quantize]} is allowed for {quantize}. It was not kept."
            )
        report: dict[str, Any] = {
            "file": path.name,
            "mib": len(content) / 2**20,
            "quantize": quantize,
            "lengths": litert.lengths,
            "error": errors,
        }
        if accuracy_data:
            found = on_device(model, litert).score(*accuracy_data)[model.SCORE]
            report["score"] = compared_scores(model, found, accuracy_data, max_drop, "tflite")
        report |= _latency(model, temporary)
        report_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _content(model: Task, name: str, lengths: Sequence[int], quantize: str, calibration: Any) -> bytes:
    outputs = outputs_of(model)
    if model.WRITES_TEXT:
        return add_files(convert_steps(model, lengths, quantize), name, model.purpose, asset_files(model))
    aliases, vocabulary = {}, None
    if model.tokenizer.ON_PHONES:
        aliases = accent_aliases(model.tokenizer)
        vocabulary = [*model.tokenizer.vocabulary, *aliases]
    content = convert(model, outputs.to_file, lengths, quantize, calibration, list(aliases.values()))
    return add_metadata(content, name, model.purpose, vocabulary, label_lines(model))


def _open(model: Task, path: pathlib.Path, num_threads: int | None = None) -> LiteRTGenerator | LiteRTModel:
    return (LiteRTGenerator if model.WRITES_TEXT else LiteRTModel)(path, num_threads)


def _check(
    model: Task, path: pathlib.Path, lengths: Sequence[int], quantize: str, calibration: Any, accuracy_data: Any
) -> None:
    if quantize not in QUANTIZE:
        raise ConfigError(f"Received: quantize={quantize!r}. Choose from {', '.join(QUANTIZE)}.")
    if quantize == "int8_full" and model.WRITES_TEXT:
        raise ConfigError(
            "Received: quantize='int8_full'. A model that writes text passes keys and values between its signatures "
            "as float32. Choose int8, which quantizes the weights."
        )
    if quantize in INT4 and not accuracy_data:
        raise ConfigError(
            f"{quantize} changes outputs by more than their bound of errors can tell from a broken file, so it must be "
            "scored (--accuracy_data FILE)."
        )
    if quantize == "int8_full" and model.SPEC.files:
        raise ConfigError(
            f"Received: quantize='int8_full' for a model of {', '.join(model.TEXTS)}. Its ranges would be learned from "
            "texts alone. Choose int8, which quantizes the weights."
        )
    if quantize == "int8_full" and not (calibration and accuracy_data):
        raise ConfigError(
            "int8_full learns its ranges from some hundred texts (--calibration FILE), and often loses accuracy, so it "
            "must be scored (--accuracy_data FILE)."
        )
    least = model.tokenizer.num_added(model.num_segments) + 1  # one token of a text beside the special ones
    most = model.config.max_positions
    if not lengths or min(lengths) < least or max(lengths) > most:
        raise ConfigError(f"Received: lengths {list(lengths)}. Rows of this model have {least} to {most} tokens.")
    if model.WRITES_TEXT:
        model.search_of({}, max(lengths))  # raises where the positions do not hold source and target
    _check_free(path)
    if path == (report := path.with_suffix(".json")):
        raise ConfigError(f"Received: {path}. The report is written there: name the file {path.stem}.tflite.")
    _check_free(report)


def _check_free(path: pathlib.Path) -> None:
    if path.is_file():
        raise already_exists(path)
    if path.exists():
        raise InputError(f"{path} is no regular file and is not replaced. Choose another --output.")


def _error(model: Task, litert: LiteRTGenerator | LiteRTModel, length: int, texts: Any) -> float:
    """Relative error of the file's outputs, those for padding left out: the largest of all outputs."""
    copy, outputs = at_length(model, length), outputs_of(model)
    inputs = copy.preprocessor(copy.preprocessor.encode_texts(texts), length)
    rows = {name: inputs[name] for name in (features.ENCODER_INPUTS if model.WRITES_TEXT else model.INPUTS)}  # [N, S]
    if model.WRITES_TEXT:
        rows |= _written_targets(copy, rows)  # [N, T]
    expected = outputs.to_file(copy(rows, training=False))
    chosen: Any = slice(None)  # all rows
    if outputs.per_token:
        chosen = rows.get(features.TARGET_MASK, rows[features.INPUT_MASK]).numpy() > 0  # [N, S or T]
    errors = []
    for name, value in litert(rows).items():
        errors.append(_relative_error(value[chosen], expected[name].numpy()[chosen]))
    return max(errors)


def _written_targets(model: Task, rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The inputs of targets, int32 [N, T] each: the texts that Keras writes for sources, without the last token."""
    ids = tf.function(model.write, autograph=False)(rows)[:, :-1]
    is_end = tf.cast(ids[:, 1:] == model.end_id, tf.int32)  # a start token may have the same id
    before = tf.pad(tf.cumsum(is_end, 1), [[0, 0], [1, 0]])
    return {features.TARGET_IDS: ids, features.TARGET_MASK: tf.cast(before == 0, tf.int32)}


def _relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def _latency(model: Task, path: pathlib.Path) -> dict[str, dict[int, dict[int, float]]]:
    """{what is measured: {length: {threads: milliseconds}}}; see `latencies` of the opened file."""
    measured: dict[str, dict[int, dict[int, float]]] = {}
    for threads in _THREADS:
        litert = _open(model, path, threads)
        for length in litert.lengths:
            for name, milliseconds in litert.latencies(length).items():
                measured.setdefault(name, {}).setdefault(length, {})[threads] = milliseconds
    return measured
