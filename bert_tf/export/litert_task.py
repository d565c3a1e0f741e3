"""A task model that computes with a .tflite: what it answers and how it scores is what a phone gets."""

import tensorflow as tf

from bert_tf.core import features
from bert_tf.export.tflite_outputs import head_of


def at_length(model, length):
    """A copy of a task model that reads rows of `length` pieces; beyond its positions it raises `InputError`."""
    settings = {"stride": None} if hasattr(model, "stride") else {}
    checkpoint = model.to_checkpoint(model.tokenizer, model.task_settings())
    return type(model).from_checkpoint(checkpoint, "the model", max_length=length, **settings)


def on_device(model, lite):
    """A copy of a task model whose forward pass is the longest signature of the `LiteModel`; for inference only."""
    length, head = lite.lengths[0], head_of(model)
    copy = at_length(model, length)
    outputs = head.to_file(copy(_any_row(length), training=False))
    kinds = {name: tf.TensorSpec([None, *value.shape[1:]], value.dtype) for name, value in outputs.items()}

    def run(*rows):
        answers = lite(dict(zip(features.ENCODER_INPUTS, rows, strict=True)))
        return [answers[name] for name in kinds]

    def call(inputs, training=None):
        del training
        given = tf.shape(inputs[features.INPUT_IDS])[1]
        rows = [tf.pad(inputs[name], [[0, 0], [0, length - given]]) for name in features.ENCODER_INPUTS]
        answers = tf.numpy_function(run, rows, [kind.dtype for kind in kinds.values()])
        answers = {
            name: tf.ensure_shape(answer, kind.shape)
            for answer, (name, kind) in zip(answers, kinds.items(), strict=True)
        }
        if head.per_piece:
            answers = {name: answer[:, :given] for name, answer in answers.items()}
        return head.from_file(answers)

    copy.call = call
    return copy


def _any_row(length):
    return {name: tf.ones([1, length], tf.int32) for name in features.ENCODER_INPUTS}
