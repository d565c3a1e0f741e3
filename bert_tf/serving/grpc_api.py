"""TF Serving's gRPC services: PredictionService and ModelService."""

from tensorflow_serving.apis import (
    classification_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from bert_tf.serving import examples, messages
from bert_tf.serving.models import Target
from bert_tf.serving.status import RequestError, invalid
from bert_tf.serving.tensors import from_protos, to_protos


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress and GetModelMetadata."""

    def __init__(self, inference):
        self._inference = inference

    async def Predict(self, request, context):
        return await _reply(self._inference, context, "predict", request, self._predict(request))

    async def Classify(self, request, context):
        return await _reply(self._inference, context, "classify", request, self._classify(request))

    async def Regress(self, request, context):
        return await _reply(self._inference, context, "regress", request, self._regress(request))

    async def GetModelMetadata(self, request, context):
        return await _reply(self._inference, context, "metadata", request, self._metadata(request))

    async def _predict(self, request):
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

    async def _classify(self, request):
        response = classification_pb2.ClassificationResponse()
        outputs, count = await self._infer_examples(request, response)
        for row in examples.classifications(outputs, count):
            classes = response.result.classifications.add().classes
            classes.extend(classification_pb2.Class(label=label, score=score) for label, score in row)
        return response

    async def _regress(self, request):
        response = regression_pb2.RegressionResponse()
        outputs, count = await self._infer_examples(request, response)
        for value in examples.regressions(outputs, count):
            response.result.regressions.add(value=value)
        return response

    async def _metadata(self, request):
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid(f"Received metadata_field={list(request.metadata_field)[:9]}. There is signature_def alone.")
        target = _target(request)
        return messages.metadata(self._inference.models.version(target), target.name)

    async def _infer_examples(self, request, response):
        serialized = examples.from_input(request.input)
        _, outputs = await self._infer(request, response, lambda signature: examples.inputs(serialized, signature))
        return outputs, len(serialized)

    async def _infer(self, request, response, decode):
        """(signature, outputs); the response says which version and signature they are of."""
        target = _target(request)
        number, signature, outputs = await self._inference.infer(target, decode, request.ByteSize())
        response.model_spec.name, response.model_spec.signature_name = target.name, signature.name
        response.model_spec.version.value = number
        return signature, outputs


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; the models are those of the command line, so HandleReloadConfigRequest is unimplemented."""

    def __init__(self, inference):
        self._inference = inference

    async def GetModelStatus(self, request, context):
        return await _reply(self._inference, context, "status", request, self._status(request))

    async def _status(self, request):
        return messages.status(self._inference.models.statuses(_target(request)))


def _target(request):
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    return Target(spec.name, version, spec.version_label or None, spec.signature_name)


async def _reply(inference, context, method, request, work):
    """The response that `work` makes, or the status of its failure."""
    try:
        return await inference.answer("gRPC", request.model_spec.name, method, work)
    except RequestError as error:
        return await context.abort(error.code, error.message)
