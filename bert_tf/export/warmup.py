"""Warm-up requests, which TF Serving sends to a version before it takes real ones."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core import features
from bert_tf.export.signatures import EXAMPLES, SERVING_DEFAULT, TOKENS

_STEP = 32  # pieces from one request's row to the next one's
FILE = "assets.extra/tf_serving_warmup_requests"


def write_warmup(folder, name, model):
    """Writes requests to the model called `name` with short and long rows, for the signatures that take text.

    TFRecord of `tensorflow.serving.PredictionLog`, as the guide "SavedModel Warmup" of TF Serving describes it.
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


def _requests(model):
    """(signature, {input: values}) of one row, the longer the further."""
    required = [name for name in model.TEXTS if name not in model.OPTIONAL_TEXTS]
    for length in range(_STEP, model.max_length + _STEP, _STEP):
        text = ". " * (length // len(required) - 3)  # with [CLS] and [SEP] a little under the length
        yield SERVING_DEFAULT, {name: [text] for name in required}
        yield EXAMPLES, {"inputs": [_example(dict.fromkeys(required, text))]}
        yield TOKENS, {name: np.ones([1, min(length, model.max_length)], "int32") for name in features.ENCODER_INPUTS}


def _example(texts):
    feature = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()])) for name, text in texts.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
