"""Exports a task's model of token ids for onnxruntime or OpenVINO, with tokenizer, labels and settings beside it."""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf

from bert_tf.core import features, files
from bert_tf.core.errors import ConfigError, already_exists
from bert_tf.export import onnx, openvino
from bert_tf.export.comparison import check_difference, largest_difference
from bert_tf.export.converter_forms import converter_forms
from bert_tf.export.signatures import call_specs, concrete_function, label_lines, named_outputs
from bert_tf.modeling.layers.encoder_inputs import HUGGINGFACE_NAMES
from bert_tf.tasks.base.batching import take
from bert_tf.tasks.base.task import Task
from bert_tf.weights.formats.huggingface_tokenizer import write_fast
from bert_tf.weights.formats.model_folder import write_settings

# N rows, S tokens

RUNTIMES = {"onnx": onnx, "openvino": openvino}
_THEIR_NAMES = {ours: theirs for theirs, ours in HUGGINGFACE_NAMES.items()}


def export_runtime(
    model: Task, folder: str | os.PathLike, format: str, check_texts: Any, tolerance: float = 1e-4
) -> float:
    """Writes FOLDER with the model, tokenizer.json, labels.txt (where it has labels) and config.json, its settings.

    The model takes what Hugging Face's tokenizers return, int64 [N, S] of any size each: `input_ids`, `attention_mask`
    and, where it has segments, `token_type_ids`. Its outputs are those of the model's `call`. It is opened by its
    runtime and compared with Keras, all texts together and each by itself, before the folder gets its name.

    Args:
        model: a float32 task model.
        format: "onnx" (model.onnx) or "openvino" (model.xml and model.bin).
        check_texts: texts as the model's `predict_text` takes them, for the comparison.
        tolerance: largest allowed difference of a number.

    Returns:
        The largest absolute difference.

    Raises:
        ConfigError: the model writes text or reads files, or a package is missing.
        InputError: the folder exists, the runtime lacks an operator, or the difference is above `tolerance`; then
            nothing is kept.
    """
    folder, runtime = pathlib.Path(folder), RUNTIMES[format]
    if model.WRITES_TEXT:
        raise ConfigError(
            f"Received: --format={format} for the task {model.TASK}. A model that writes text can be exported as "
            "saved_model or tflite."
        )
    if model.SPEC.files:
        raise ConfigError(
            f"Received: --format={format} for a model of {', '.join(model.TEXTS)}. It can be exported as saved_model."
        )
    if folder.exists():
        raise already_exists(folder)
    try:
        runtime.check_packages()
    except ImportError as error:
        raise ConfigError(f"--format={format} needs {error.name}: pip install 'bert_tf[{format}]'") from None
    with files.temporary_folder(folder) as work:
        temporary = work / folder.name
        temporary.mkdir()
        runtime.write(_function(model), model, temporary)
        run = runtime.load(temporary)
        differences = []
        for inputs in _check_inputs(model, check_texts):
            rows = {name: inputs[ours].numpy().astype("int64") for ours, name in _input_names(model).items()}
            differences.append(largest_difference(run(rows), _call(model, inputs)))
        check_difference(f"{format} model", max(differences), tolerance)
        _write_description(model, temporary)
        if not files.publish(temporary, folder, replace=False):
            raise already_exists(folder)
    return max(differences)


def _input_names(model: Task) -> dict[str, str]:
    """{our name of an input that the model reads: its name in the file}."""
    names = {}
    for name in call_specs(model):
        if name != features.SEGMENT_IDS or getattr(model.config, "type_vocab_size", 0) > 1:
            names[name] = _THEIR_NAMES.get(name, name)
    return names


def _function(model: Task) -> Any:
    """The graph of the model's `call` under the names of the file."""
    names, specs = _input_names(model), call_specs(model)
    inputs = [tf.TensorSpec(specs[ours].shape, tf.int64, name=theirs) for ours, theirs in names.items()]

    def compute(*rows: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = [tf.cast(row, tf.int32) for row in rows]
        return _call(model, dict(zip(names, columns, strict=True)))

    with converter_forms(model):
        return concrete_function(inputs, compute)


def _call(model: Task, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`named_outputs` at inference, by the layers as they are now: `call_in_graph` may keep an earlier form."""
    return named_outputs(model, model(inputs, training=False))


def _check_inputs(model: Task, texts: Any) -> Iterator[dict[str, tf.Tensor]]:
    """The inputs of the model's `call` for all texts, then for each that has any: some have no masks to fill."""
    columns = model.preprocessor.encode_texts(texts)
    count = len(columns[0])
    for numbers in (range(count), *([i] for i in range(count))):
        inputs = model.preprocessor.complete(model.inference_inputs(take(columns, list(numbers))))
        inputs = {name: inputs[name] for name in model.INPUTS}
        if all(tf.size(value) for value in inputs.values()):  # 0 in the shape of an ONNX reshape is no size
            yield inputs


def _write_description(model: Task, folder: pathlib.Path) -> None:
    """Writes the tokenizer, the labels and the settings."""
    checkpoint = model.to_checkpoint(model.tokenizer, model.task_settings())
    write_fast(folder, checkpoint)
    write_settings(checkpoint, folder)
    if labels := label_lines(model):
        (folder / "labels.txt").write_text(labels, encoding="utf-8")
