"""TF Serving's REST API: predict, classify, regress, status and metadata as JSON over HTTP."""

import dataclasses
import re

from aiohttp import web

from bert_tf.serving import json_bodies, messages
from bert_tf.serving.inference import Inference
from bert_tf.serving.models import Target
from bert_tf.serving.offload import offload
from bert_tf.serving.status import Code, RequestError, invalid

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)"
    r"(?:/versions/(?P<version>[0-9]{1,18})|/labels/(?P<label>[^/:]+))?"
    r"(?P<method>:predict|:classify|:regress|/metadata|)"
)
_MAX_VALUES = 1 << 22  # of an answer: as JSON they take some hundred megabytes of memory
_MAX_REQUESTS = 512  # whose bodies are in memory


class RestApi:
    """Handles all requests below /v1/."""

    def __init__(self, inference: Inference):
        self._inference = inference
        self._running = 0  # requests

    async def handle(self, request: web.Request) -> web.Response:
        """The answer as JSON, or {"error": message} with its status."""
        match = _PATH.fullmatch(request.path)
        name, method = "", "malformed"  # for the metrics
        if match:
            name, method = match["name"], match["method"].strip(":/") or "status"
        try:
            work = self._answer(request, match, method)
            content = await self._inference.answer("REST", name, method, work)
            return web.Response(body=content, content_type="application/json")
        except RequestError as error:
            return error_response(error.http_status, error.message)

    async def _answer(self, request: web.Request, match: re.Match | None, method: str) -> bytes:
        verb = "GET" if method in ("status", "metadata") else "POST"
        if match is None or request.method != verb:
            raise RequestError(Code.NOT_FOUND, f"Malformed request: {request.method} {request.path[:200]}")
        target = Target(match["name"], match["version"] and int(match["version"]), match["label"])
        models = self._inference.models
        if method == "status":
            return json_bodies.dump(messages.as_json(messages.status(models.statuses(target))))
        if method == "metadata":
            return json_bodies.dump(messages.metadata_as_json(models.version(target), target.name))
        models.version(target)  # raises NOT_FOUND before the body is read
        if self._running >= _MAX_REQUESTS:
            raise RequestError(Code.RESOURCE_EXHAUSTED, "The server has too many requests. Try again later.")
        self._running += 1
        try:
            return await self._infer(target, method, await self._read(request))
        finally:
            self._running -= 1

    async def _infer(self, target: Target, method: str, content: bytes) -> bytes:
        body = await offload(len(content), json_bodies.parse, content)
        target = dataclasses.replace(target, signature_name=body.get("signature_name", ""))
        _, _, outputs = await self._inference.infer(
            target, lambda signature: json_bodies.decode(method, body, signature), len(content)
        )
        size = sum(value.size for value in outputs.values())
        if size > _MAX_VALUES:
            raise RequestError(
                Code.RESOURCE_EXHAUSTED, f"The answer has {size} values, over {_MAX_VALUES}; send fewer rows.", 413
            )
        return await offload(size, json_bodies.encode, method, body, outputs)

    async def _read(self, request: web.Request) -> bytes:
        try:
            return await request.read()
        except web.HTTPRequestEntityTooLarge as error:
            limit = self._inference.limits.body_bytes
            raise RequestError(
                Code.RESOURCE_EXHAUSTED, f"The body is larger than {limit} bytes; split the request.", 413
            ) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise invalid(f"The body could not be read: {error}") from error


def error_response(status: int, message: str) -> web.Response:
    """An error in the form of TF Serving."""
    return web.Response(body=json_bodies.dump({"error": message}), status=status, content_type="application/json")
