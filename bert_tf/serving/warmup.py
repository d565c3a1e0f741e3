"""Runs the warm-up requests of a SavedModel, so that the first client does not wait for TensorFlow."""

import collections
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from bert_tf.core.errors import InputError
from bert_tf.serving import examples
from bert_tf.serving.servable import Servable, Signature
from bert_tf.serving.status import RequestError
from bert_tf.serving.tensors import from_protos

FILE = "assets.extra/tf_serving_warmup_requests"  # TFRecord of PredictionLog, as in TF Serving
_MAX_REQUESTS = 1000


def warm_up(servable: Servable) -> None:
    """Runs the warm-up requests of a version; a failing one raises `InputError`: the version must not be served.

    Most of the time goes into the first request of each signature, for which TensorFlow prepares its graph on one
    core, so that the signatures run side by side.
    """
    file = servable.path / FILE
    if not file.is_file():
        return
    requests: dict[Signature, list[Any]] = collections.defaultdict(list)
    try:
        for record in tf.data.TFRecordDataset(str(file)).take(_MAX_REQUESTS).as_numpy_iterator():
            for signature, inputs in _request(servable, prediction_log_pb2.PredictionLog.FromString(record)):
                requests[signature].append(inputs)
        with futures.ThreadPoolExecutor() as threads:
            list(threads.map(_answer, requests, requests.values()))  # raises what one of them raised
    except (tf.errors.OpError, RequestError, ValueError) as error:
        raise InputError(f"A warm-up request of {file} failed: {error}") from error


def _request(servable: Servable, log: Any) -> Iterator[tuple[Signature, dict[str, np.ndarray]]]:
    """The signature and the inputs of a request; nothing for kinds that are not served."""
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        signature = servable.signature(request.model_spec.signature_name)
        yield signature, from_protos(request.inputs, signature)
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        signature = servable.signature(request.model_spec.signature_name)
        yield signature, examples.inputs(examples.from_input(request.input), signature)


def _answer(signature: Signature, requests: list[dict[str, np.ndarray]]) -> None:
    for inputs in requests:
        signature.run(inputs)
