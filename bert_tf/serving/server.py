"""The server: loads the models, opens both ports, and finishes running requests when it stops."""

import asyncio
import gc
import signal

import grpc
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from bert_tf.core.errors import InputError
from bert_tf.serving.batcher import Batcher
from bert_tf.serving.grpc_api import CheckRequests, ModelService, PredictionService
from bert_tf.serving.inference import Inference
from bert_tf.serving.metrics import Metrics
from bert_tf.serving.models import Models
from bert_tf.serving.options import Options
from bert_tf.serving.watcher import Watcher
from bert_tf.serving.web_app import make_runner

_DRAIN_SECONDS = 5.0
_MAX_REQUESTS = 512  # gRPC requests in memory


class Server:
    """Both APIs, the models and the watcher; `start`, `watch` and `stop` are awaited on one event loop."""

    def __init__(self, options: Options):
        self._options = options
        self._models = Models(options.models)
        metrics = Metrics(self._models)
        self._batcher = Batcher(options.batching, metrics.batch)
        metrics.queue_rows.set_function(lambda: self._batcher.waiting)
        inference = Inference(self._models, self._batcher, options.limits, metrics)
        self._rest = make_runner(inference, metrics, options.metrics_paths, _DRAIN_SECONDS)
        self._health = health.aio.HealthServicer()
        self._grpc = grpc.aio.server(
            interceptors=[CheckRequests()],
            maximum_concurrent_rpcs=_MAX_REQUESTS,
            options=[("grpc.max_receive_message_length", options.limits.body_bytes), ("grpc.so_reuseport", 0)],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(inference), self._grpc)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(inference), self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        self._watcher = Watcher(self._models, options.warmup)

    async def start(self) -> None:
        """Loads the models and opens the ports; a port in use raises `InputError`."""
        await self._poll()
        await self._rest.setup()
        try:
            await self._open_ports(self._options.host, self._options.port, self._options.rest_api_port)
        except OSError as error:
            await self._rest.cleanup()
            raise InputError(f"{error}. Choose another --host, --rest_api_port or --port.") from error
        await self._grpc.start()

    async def _open_ports(self, host: str, port: int, rest_port: int) -> None:
        if rest_port:
            await web.TCPSite(self._rest, host, rest_port).start()
            print(f"REST API, page and metrics at http://{_address(host, rest_port)}/", flush=True)
        if port:
            try:
                self._grpc.add_insecure_port(_address(host, port))
            except RuntimeError as error:
                raise OSError(f"gRPC cannot listen at {_address(host, port)}") from error
            print(f"gRPC API at {_address(host, port)}", flush=True)

    async def watch(self) -> None:
        """Polls the base paths until it is cancelled."""
        while True:
            await asyncio.sleep(self._options.poll_seconds)
            await self._poll()

    async def stop(self) -> None:
        """Accepts no more requests, and waits a few seconds for those that run."""
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(self._rest.cleanup(), self._grpc.stop(_DRAIN_SECONDS))
        self._batcher.close()

    async def _poll(self) -> None:
        await self._watcher.poll()
        state = health_pb2.HealthCheckResponse.NOT_SERVING
        if self._models.ready:
            state = health_pb2.HealthCheckResponse.SERVING
        await self._health.set("", state)  # "" is the health of the whole server


async def serve(options: Options) -> None:
    """Serves until SIGINT or SIGTERM; a second signal ends the process at once."""
    server = Server(options)
    await server.start()
    gc.freeze()  # what the server has made stays: collections, for which requests would wait, pass over it
    gc.enable()
    watching = asyncio.create_task(server.watch())
    loop = asyncio.get_running_loop()

    def stop() -> None:
        watching.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        await watching
    except asyncio.CancelledError:
        print("Stopping: waiting for running requests", flush=True)
    finally:
        await server.stop()


def _address(host: str, port: int) -> str:
    if ":" in host:  # IPv6
        host = f"[{host}]"
    return f"{host}:{port}"
