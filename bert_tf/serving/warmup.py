"""Runs the warm-up requests of a SavedModel, so that the first client does not wait for TensorFlow."""

from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core.errors import InputError
from bert_tf.serving import examples
from bert_tf.serving.servable import Servable
from bert_tf.serving.status import RequestError
from bert_tf.serving.tensors import from_protos

FILE = "assets.extra/tf_serving_warmup_requests"  # TFRecord of PredictionLog, as in TF Serving
_MAX_REQUESTS = 1000


def warm_up(servable: Servable) -> None:
    """Runs the warm-up requests of a version; a failing one raises `InputError`: the version must not be served."""
    file = servable.path / FILE
    if not file.is_file():
        return
    try:
        for record in tf.data.TFRecordDataset(str(file)).take(_MAX_REQUESTS).as_numpy_iterator():
            _answer(servable, prediction_log_pb2.PredictionLog.FromString(record))
    except (tf.errors.OpError, RequestError, ValueError) as error:
        raise InputError(f"A warm-up request of {file} failed: {error}") from error


def _answer(servable: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        signature = servable.signature(request.model_spec.signature_name)
        signature.run(from_protos(request.inputs, signature))
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        signature = servable.signature(request.model_spec.signature_name)
        signature.run(examples.inputs(examples.from_input(request.input), signature))
