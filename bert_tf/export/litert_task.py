"""A task model that computes with a .tflite, so that its answers and scores are those that a phone gets."""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.export.litert_generator import LiteRTGenerator
from bert_tf.export.litert_model import LiteRTModel
from bert_tf.export.tflite_outputs import outputs_of
from bert_tf.tasks.base.task import Task

# N rows, S tokens

TaskModel = TypeVar("TaskModel", bound=Task)


def at_length(model: TaskModel, length: int) -> TaskModel:
    """A copy of a task model whose rows have at most `length` tokens; more than its positions raise `InputError`."""
    settings: dict[str, Any] = {}
    if hasattr(model, "stride"):
        settings["stride"] = None  # the default for the new length
    checkpoint = model.to_checkpoint(model.tokenizer, model.task_settings())
    return type(model).from_checkpoint(checkpoint, "the model", max_length=length, **settings)


def on_device(model: TaskModel, litert: LiteRTModel | LiteRTGenerator) -> TaskModel:
    """A copy of a task model whose forward pass is the file's longest signature; for inference only.

    Of a model that writes text its search calls the file, a `LiteRTGenerator`.
    """
    copy = at_length(model, litert.lengths[0])
    if isinstance(litert, LiteRTGenerator):
        return _writing(copy, litert)
    length, outputs = litert.lengths[0], outputs_of(model)
    any_row = {}
    for name, row in model.token_specs().items():
        shape = [1, length] if name in features.ENCODER_INPUTS else [1, *row.shape[1:]]
        any_row[name] = tf.ones(shape, row.dtype)
    example = outputs.to_file(copy(any_row, training=False))
    specs = {}  # of the outputs, for any number of rows
    for name, value in example.items():
        specs[name] = tf.TensorSpec([None, *value.shape[1:]], value.dtype)

    def run(*rows: np.ndarray) -> list[np.ndarray]:
        answers = litert(dict(zip(model.INPUTS, rows, strict=True)))
        return [answers[name] for name in specs]

    def call(inputs: Mapping[str, tf.Tensor], training: bool | None = None) -> Any:
        del training
        given = tf.shape(inputs[features.INPUT_IDS])[1]
        padding = [[0, 0], [0, length - given]]
        rows = []
        for name in model.INPUTS:
            words = name in features.ENCODER_INPUTS
            rows.append(tf.pad(inputs[name], padding) if words else inputs[name])  # [N, length] of words
        answers = tf.numpy_function(run, rows, [spec.dtype for spec in specs.values()])
        named = {}
        for answer, (name, spec) in zip(answers, specs.items(), strict=True):
            answer = tf.ensure_shape(answer, spec.shape)
            if outputs.per_token:
                answer = answer[:, :given]  # without those of the padding
            named[name] = answer
        return outputs.from_file(named)

    copy.call = call
    return copy


def _writing(copy: TaskModel, litert: LiteRTGenerator) -> TaskModel:
    """The task model `copy`, with a search that calls the file."""

    def write(inputs: dict[str, tf.Tensor], **search: Any) -> tf.Tensor:
        config = dataclasses.replace(copy.generation, **search)
        draws_alike = config.seed is not None  # a seed may be a tensor

        def run(seed: np.ndarray, *rows: np.ndarray) -> np.ndarray:
            own = dataclasses.replace(config, seed=int(seed) if draws_alike else None)
            return litert.write(dict(zip(features.ENCODER_INPUTS, rows, strict=True)), own)

        given = [config.seed if draws_alike else 0, *(inputs[name] for name in features.ENCODER_INPUTS)]
        return tf.ensure_shape(tf.numpy_function(run, given, tf.int32), [None, None])

    copy.write = write
    copy.reset_predict_graph()
    return copy
