"""The verb `export`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bert_tf.cli.flags import lengths_of
from bert_tf.core.config import override
from bert_tf.core.errors import ConfigError
from bert_tf.core.progress import stages
from bert_tf.data.readers.examples import FileConfig, files_of, read_examples
from bert_tf.tasks import load
from bert_tf.tasks.base.targets import fit_targets
from bert_tf.text.corpus import find_files, read_lines

_ONLY_FOR = {
    "version": ("saved_model",),
    "dtype": ("saved_model",),
    "attention": ("saved_model",),
    "constants": ("saved_model",),
    "quantize": ("tflite", "web"),
    "length": ("tflite", "web"),
    "calibration": ("tflite",),
    "accuracy_data": ("saved_model", "tflite", "web"),
    "skip_bad_rows": ("saved_model", "tflite", "web"),
    "max_drop": ("saved_model", "tflite", "web"),
    "runtime": ("web",),
}
# Difference of a number in an answer to Keras in float32.
_TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.1}


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Keys of overrides: `data` says how --accuracy_data is read, by default like the training files of the model."""

    data: FileConfig = FileConfig()


def export(flags: Any, overrides: list[str]) -> None:
    """Writes the artifact and prints how far it is from the Keras model."""
    if flags.skip_bad_rows:
        overrides = [*overrides, "data.skip_bad_rows=true"]
    config = override(ExportConfig(files_of(flags.model)), overrides)
    formats = {"saved_model": _saved_model, "tflite": _tflite, "web": _web, "onnx": _runtime, "openvino": _runtime}
    if flags.format not in formats:
        raise ConfigError(f"Received: --format={flags.format}. Choose one of {', '.join(formats)}.")
    _check_format(flags)
    if flags.dtype not in _TOLERANCE:
        raise ConfigError(f"Received: --dtype={flags.dtype}. Choose one of {', '.join(_TOLERANCE)}.")
    with stages() as progress:
        progress("export", 0)
        formats[flags.format](flags, load(flags.model, encoders=True), config.data)


def _check_format(flags: Any) -> None:
    """Refuses flags that the format or the other flags give no meaning."""
    for name, formats in _ONLY_FOR.items():
        if flags.format not in formats and flags[name].present:
            able = ", ".join(formats)
            raise ConfigError(f"Received: --{name} with --format={flags.format}. It is only for {able}: leave it out.")
    if flags.calibration and flags.quantize != "int8_full":
        raise ConfigError(f"Received: --calibration with --quantize={flags.quantize}. Only int8_full uses it.")
    for name in ("max_drop", "skip_bad_rows"):
        if flags[name].present and not flags.accuracy_data:
            raise ConfigError(f"Received: --{name} without --accuracy_data FILE, whose examples it is for.")


def _saved_model(flags: Any, reference: Any, data: FileConfig) -> None:
    from bert_tf.export.comparison import scores_line
    from bert_tf.export.saved_model import export_saved_model, saved_model_scores
    from bert_tf.export.signatures import check_request

    model, scores, int8 = reference, None, flags.dtype == "int8"
    if flags.dtype == "bfloat16":
        model = load(flags.model, flags.dtype, encoders=True)
    if flags.accuracy_data:
        examples = _labelled(flags.accuracy_data, data, reference)
        scores = saved_model_scores(reference, model, examples, flags.max_drop, int8)
    path, difference = export_saved_model(
        *(model, flags.output, check_request(model), flags.version, reference, _TOLERANCE[flags.dtype]),
        *(flags.attention, int8, scores, flags.constants),
    )
    print(f"SavedModel written to {path}; its answers are within {difference:.0e} of Keras.")
    if scores:
        print(f"  {scores_line(scores, 'saved_model')}")
    print(f"Serve it: bert-tf serve --model_name={path.parent.name} --model_base_path={path.parent}")
    print(f"In Python: import tensorflow_text, then tf.saved_model.load({str(path)!r}); see its README.md.")


def _tflite(flags: Any, model: Any, data: FileConfig) -> None:
    from bert_tf.export.signatures import check_request, sample_request
    from bert_tf.export.tflite import export_tflite

    lengths, calibration, accuracy_data = lengths_of(flags.length) or [model.max_length], None, None
    if flags.calibration:
        calibration = sample_request(model, _lines(flags.calibration))
    if flags.accuracy_data:
        accuracy_data = _labelled(flags.accuracy_data, data, model)
    texts = check_request(model)
    report = export_tflite(
        model, flags.output, lengths, texts, flags.quantize, calibration, accuracy_data, flags.max_drop
    )
    _tell_file(report, f"TFLite file written to {flags.output}")


def _tell_file(report: Mapping[str, Any], written: str) -> None:
    """Prints the report of a .tflite."""
    from bert_tf.export.comparison import scores_line

    print(f"{written}: {report['mib']:.1f} MiB, {report['quantize']}.")
    for length, milliseconds in report["latency_ms"].items():
        within = f"outputs within {report['error'][length]:.1%} of Keras"
        print(f"  {length} tokens: {within}; latency {_times(milliseconds)} threads")
        if "step_ms" in report:
            print(f"    one token of a text: {_times(report['step_ms'][length])} threads")
    if "score" in report:
        print(f"  {scores_line(report['score'], 'tflite')}")


def _web(flags: Any, model: Any, data: FileConfig) -> None:
    from bert_tf.export.signatures import check_request
    from bert_tf.export.tflite_conversion import INT4
    from bert_tf.export.web import export_web

    lengths = lengths_of(flags.length) or [model.max_length]
    if len(lengths) > 1:
        raise ConfigError(f"Received: --length={flags.length} with --format=web. A page has one length.")
    if flags.quantize in (*INT4, "int8_full"):
        raise ConfigError(f"Received: --quantize={flags.quantize} with --format=web. Choose none, float16 or int8.")
    accuracy_data = _labelled(flags.accuracy_data, data, model) if flags.accuracy_data else None
    report = export_web(
        *(model, flags.output, lengths[0], check_request(model), flags.runtime),
        *(flags.quantize, accuracy_data, flags.max_drop),
    )
    _tell_file(report, f"Page written to {flags.output}")
    print(f"Open it: python3 -m http.server --directory {flags.output}")


def _runtime(flags: Any, model: Any, data: FileConfig) -> None:
    from bert_tf.export.runtimes import export_runtime
    from bert_tf.export.signatures import check_request

    del data
    difference = export_runtime(model, flags.output, flags.format, check_request(model), _TOLERANCE["float32"])
    print(f"{flags.format} model written to {flags.output}; its numbers are within {difference:.0e} of Keras.")


def _times(milliseconds: Mapping[int, float]) -> str:
    return ", ".join(f"{time:.1f} ms on {threads}" for threads, time in milliseconds.items())


def _labelled(path: str, config: FileConfig, model: Any) -> tuple[Any, Sequence[Any]]:
    """(texts, targets) of a file, as the model's `score` takes them."""
    if not model.SPEC.targets:
        raise ConfigError(f"Received: --accuracy_data for the task {model.TASK}, which has no score: leave it out.")
    examples = fit_targets(read_examples(path, config, model.SPEC), model, config.separator).checked(model)
    return examples.texts, examples.targets


def _lines(patterns: str) -> list[str]:
    """The lines of all files that match, without empty ones."""
    lines: list[str] = []
    for path in find_files(patterns):
        lines += [line for line in read_lines(path) if line.strip()]
    return lines
