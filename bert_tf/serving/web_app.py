"""The HTTP server as one aiohttp application: REST API, page, metrics."""

import importlib.resources
import logging
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from bert_tf.serving import json_bodies
from bert_tf.serving.inference import Inference
from bert_tf.serving.metrics import Metrics
from bert_tf.serving.models import Models
from bert_tf.serving.rest import RestApi, error_response

KEEP_ALIVE = 30.0  # seconds for a connection to send the head of its next request
# The page loads nothing from other places, whatever a text or an answer contains.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# aiohttp would log a traceback for every request that is not HTTP.
_logger = logging.getLogger(__name__)
_logger.setLevel(logging.CRITICAL)


def make_runner(
    inference: Inference, metrics: Metrics, metrics_paths: Sequence[str], drain_seconds: float
) -> web.AppRunner:
    """The application's runner, not set up yet; when it stops, running requests have `drain_seconds` to finish."""
    app = web.Application(client_max_size=inference.limits.body_bytes, middlewares=[_errors_as_json])
    app.router.add_route("*", "/v1/{rest:.*}", RestApi(inference).handle)
    page = importlib.resources.files("bert_tf.serving").joinpath("page.html").read_text(encoding="utf-8")

    async def show_page(request: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": _POLICY})

    async def list_models(request: web.Request) -> web.Response:
        return web.Response(body=json_bodies.dump(_listing(inference.models)), content_type="application/json")

    async def show_metrics(request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": metrics.CONTENT_TYPE})

    app.router.add_get("/", show_page)
    app.router.add_get("/models", list_models)
    for path in metrics_paths:
        app.router.add_get(path, show_metrics)
    return web.AppRunner(
        app,
        access_log=None,
        logger=_logger,
        keepalive_timeout=KEEP_ALIVE,
        lingering_time=2.0,
        shutdown_timeout=drain_seconds,
    )


def _listing(models: Models) -> dict[str, list[dict[str, Any]]]:
    """{model: its versions in service, newest first, with the names of their classes and their cards}, for the page."""
    listing: dict[str, list[dict[str, Any]]] = {}
    for name, model in models.by_name.items():
        listing[name] = []
        for version in model.available:
            with version.use() as servable:
                shown = {"version": str(version.number), "labels": servable.labels, "card": servable.card}
                listing[name].append(shown)
    return listing


@web.middleware
async def _errors_as_json(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error_response(error.status, f"{request.method} {request.path[:200]}: {error.reason}")
