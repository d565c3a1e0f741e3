"""TF Serving's gRPC services: PredictionService and ModelService."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from bert_tf.serving import examples, messages
from bert_tf.serving.inference import Inference
from bert_tf.serving.models import Target
from bert_tf.serving.servable import Signature
from bert_tf.serving.status import RequestError, invalid
from bert_tf.serving.tensors import from_protos, to_protos


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress and GetModelMetadata."""

    def __init__(self, inference: Inference):
        self._inference = inference

    async def Predict(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Runs a signature on named tensors."""
        return await _reply(self._inference, context, "predict", request, self._predict(request))

    async def Classify(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """Classes and scores of tf.Examples."""
        return await _reply(self._inference, context, "classify", request, self._classify(request))

    async def Regress(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """One value for each tf.Example."""
        return await _reply(self._inference, context, "regress", request, self._regress(request))

    async def GetModelMetadata(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """The signatures of a version."""
        return await _reply(self._inference, context, "metadata", request, self._metadata(request))

    async def _predict(self, request: Any) -> predict_pb2.PredictResponse:
        response = predict_pb2.PredictResponse()
        signature, outputs = await self._infer(
            request, response, lambda signature: from_protos(request.inputs, signature)
        )
        if unknown := set(request.output_filter) - set(outputs):
            raise invalid(f"Received the output_filter {min(unknown)[:100]!r}. Outputs: {', '.join(outputs)}.")
        wanted = {name: outputs[name] for name in request.output_filter or outputs}
        for name, proto in to_protos(wanted, signature).items():
            response.outputs[name].CopyFrom(proto)
        return response

    async def _classify(self, request: Any) -> classification_pb2.ClassificationResponse:
        response = classification_pb2.ClassificationResponse()
        outputs, count = await self._infer_examples(request, response)
        for row in examples.classifications(outputs, count):
            classes = response.result.classifications.add().classes
            classes.extend(classification_pb2.Class(label=label, score=score) for label, score in row)
        return response

    async def _regress(self, request: Any) -> regression_pb2.RegressionResponse:
        response = regression_pb2.RegressionResponse()
        outputs, count = await self._infer_examples(request, response)
        for value in examples.regressions(outputs, count):
            response.result.regressions.add(value=value)
        return response

    async def _metadata(self, request: Any) -> Any:
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid(f"Received metadata_field={list(request.metadata_field)[:9]}. Ask for signature_def only.")
        target = _target(request)
        return messages.metadata(self._inference.models.version(target), target.name)

    async def _infer_examples(self, request: Any, response: Any) -> tuple[dict[str, np.ndarray], int]:
        """(outputs, number of examples)."""
        serialized = examples.from_input(request.input)
        _, outputs = await self._infer(request, response, lambda signature: examples.inputs(serialized, signature))
        return outputs, len(serialized)

    async def _infer(
        self, request: Any, response: Any, decode: Callable[[Signature], Mapping[str, np.ndarray]]
    ) -> tuple[Signature, dict[str, np.ndarray]]:
        """(signature, outputs); writes name, version and signature of the model into the response."""
        target = _target(request)
        number, signature, outputs = await self._inference.infer(target, decode, request.ByteSize())
        response.model_spec.name, response.model_spec.signature_name = target.name, signature.name
        response.model_spec.version.value = number
        return signature, outputs


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus. HandleReloadConfigRequest is unimplemented: the models are those of the command line."""

    def __init__(self, inference: Inference):
        self._inference = inference

    async def GetModelStatus(self, request: Any, context: grpc.aio.ServicerContext) -> Any:
        """The state of each version."""
        return await _reply(self._inference, context, "status", request, self._status(request))

    async def _status(self, request: Any) -> Any:
        return messages.status(self._inference.models.statuses(_target(request)))


class CheckRequests(grpc.aio.ServerInterceptor):
    """Refuses requests that are no proto and methods that no service has here.

    grpc itself would log a traceback for each of them, and blame the server.
    """

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method, or None, with these checks."""
        handler = await continuation(details)
        if handler is None:
            return None

        def checked(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def answer(content: bytes, context: grpc.aio.ServicerContext) -> Any:
                try:
                    return await work(handler.request_deserializer(content), context)
                except DecodeError:
                    message = f"Received {len(content)} bytes that are no request of {details.method}."
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
                except NotImplementedError:
                    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"This server has no {details.method}.")

            return answer

        kinds = {kind: checked(work) for kind in ("unary_unary", "unary_stream") if (work := getattr(handler, kind))}
        return handler._replace(request_deserializer=None, **kinds)


def _target(request: Any) -> Target:
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    return Target(spec.name, version, spec.version_label or None, spec.signature_name)


async def _reply(
    inference: Inference, context: grpc.aio.ServicerContext, method: str, request: Any, work: Awaitable[Any]
) -> Any:
    """The response that `work` returns; a failure ends the call with its status."""
    try:
        return await inference.answer("gRPC", request.model_spec.name, method, work)
    except RequestError as error:
        return await context.abort(error.code, error.message)
