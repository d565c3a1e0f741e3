"""Warm-up requests, which TF Serving sends to a version before it takes real ones."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core import features
from bert_tf.export.signatures import EXAMPLES, SERVING_DEFAULT, TOKENS, required_texts, sample_request
from bert_tf.tasks.base.task import Task

_STEP = 32  # tokens by which a request is longer than the one before
FILE = "assets.extra/tf_serving_warmup_requests"


def write_warmup(folder: pathlib.Path, name: str, model: Task) -> None:
    """Writes requests to the model called `name`, of one short to one long example, for the signatures of texts.

    The file is a TFRecord of `tensorflow.serving.PredictionLog`, as TF Serving's guide "SavedModel Warmup" says.
    """
    path = folder / FILE
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in _requests(model):
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name, request.model_spec.signature_name = name, signature
            for key, values in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(values))
            writer.write(log.SerializeToString())


def _requests(model: Task) -> Iterator[tuple[str, dict[str, Any]]]:
    """(signature, {input: values}) of one example each, in ascending length."""
    names = required_texts(model)
    texts = len([name for name in names if name not in model.SPEC.files])
    for length in range(_STEP, model.max_length + _STEP, _STEP):
        text = ". " * (length // texts - 3)  # a token per ".", and room for special tokens
        inputs = dict(zip(names, sample_request(model, [text]), strict=True))
        yield SERVING_DEFAULT, inputs
        yield EXAMPLES, {"inputs": [_example(inputs)]}
        tokens = {}
        for name, spec in model.token_specs().items():
            shape = [1] * (spec.shape.rank - 1) + [min(length, model.max_length)]  # [1, S], or [1, 1, S] for lists
            if name not in features.ENCODER_INPUTS:
                shape = [1, *spec.shape[1:]]
            tokens[name] = np.full(shape, name != features.SEGMENT_IDS, spec.dtype.as_numpy_dtype)  # the first segment
        yield TOKENS, tokens


def _example(inputs: Mapping[str, list]) -> bytes:
    """The serialized tf.Example of one example: each input is [text] or [[texts]]."""
    features = {}
    for name, (value,) in inputs.items():
        texts = value if isinstance(value, list) else [value]
        encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
        features[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
