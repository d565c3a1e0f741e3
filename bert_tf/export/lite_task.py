"""A task model that computes with a .tflite: what it answers and how it scores is what a phone gets."""

import tensorflow as tf

from bert_tf import features
from bert_tf.export.heads import head_of


def at_length(model, length):
    """A copy of a task model that reads rows of `length` pieces; beyond its positions it raises `InputError`."""
    settings = {"stride": None} if hasattr(model, "stride") else {}
    checkpoint = model.to_checkpoint(model.tokenizer, model.task_settings())
    return type(model).from_checkpoint(checkpoint, "the model", max_length=length, **settings)


def on_device(model, lite):
    """A copy of a task model whose forward pass is the longest signature of the `LiteModel`; for inference only."""
    length, head = lite.lengths[0], head_of(model)
    copy = at_length(model, length)
    outputs = head.to_file(copy(copy.preprocess(tuple([""] for _ in model.TEXTS), length), training=False))
    kinds = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in outputs.values()]

    def run(*rows):
        answers = lite(dict(zip(features.ENCODER_INPUTS, rows, strict=True)))
        return [answers[name] for name in outputs]

    def call(inputs, training=None):
        del training
        rows = [inputs[name] for name in features.ENCODER_INPUTS]
        given = tf.shape(rows[0])[1]
        rows = [tf.pad(row, [[0, 0], [0, length - given]]) for row in rows]
        answers = tf.numpy_function(run, rows, [kind.dtype for kind in kinds])
        answers = [tf.ensure_shape(answer, kind.shape) for answer, kind in zip(answers, kinds, strict=True)]
        answers = [answer[:, :given] if answer.shape[1:2] == [length] else answer for answer in answers]
        return head.from_file(dict(zip(outputs, answers, strict=True)))

    copy.call = call
    return copy
