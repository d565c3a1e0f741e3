"""A small SavedModel with answers that can be computed by hand, and servers in a thread of the tests' own process."""

import asyncio
import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest
import tensorflow as tf

pytest.importorskip("aiohttp", reason="needs the extra serve")
pytest.importorskip("tensorflow_serving", reason="needs the extra serve")

from bert_tf.serving.models import ModelConfig
from bert_tf.serving.options import Options
from bert_tf.serving.server import Server

LABELS = ("even", "odd")


class Parity(tf.Module):
    """Classifies a text by whether it has an even or odd number of bytes; serving_default also returns `version`."""

    def __init__(self, version):
        self.version = tf.Variable(float(version))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def serve(self, text):
        tf.debugging.assert_none_equal(text, "fail", message="a text that fails")
        odd = tf.cast(tf.strings.length(text) % 2, tf.float32)
        return {
            "label": tf.gather(tf.constant(LABELS), tf.cast(odd, tf.int32)),
            "probabilities": tf.stack([0.75 - odd / 2, 0.25 + odd / 2], -1),
            "version": tf.fill(tf.shape(text), 1.0) * self.version,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=name) for name in ("text", "text_pair")])
    def pair(self, text, text_pair):
        return {"together": tf.strings.join([text, text_pair])}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int32, name=name) for name in ("ids", "mask")])
    def tokens(self, ids, mask):
        return {"total": tf.reduce_sum(ids * mask, -1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def examples(self, inputs):
        text = tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        return {"classes": tf.tile([list(LABELS)], [tf.size(text), 1]), "scores": self.serve(text)["probabilities"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def lengths(self, inputs):
        text = tf.io.parse_example(inputs, {"text": tf.io.FixedLenFeature([], tf.string)})["text"]
        return {"outputs": tf.cast(tf.strings.length(text), tf.float32)[:, tf.newaxis]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def count(self, text):
        return {"count": tf.size(text)}  # one number for all rows, so requests cannot be batched

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="steps")])
    def slow(self, steps):
        for _ in tf.range(steps[0]):  # about 10 microseconds each
            self.version.assign_add(0.0)
        return {"steps": steps}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="context"),
            tf.TensorSpec([None, None], tf.string, name="endings"),
        ]
    )
    def longest(self, context, endings):
        lengths = tf.cast(tf.strings.length(endings), tf.float32)  # [N, E]
        return {
            "choice": tf.argmax(lengths, 1, tf.int32),
            "probabilities": lengths / tf.reduce_sum(lengths, 1, keepdims=True),
            "together": context[:, tf.newaxis] + endings,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def raw(self, text):
        return {"text_bytes": text, "text": text}


def write_model(folder, version=1, labels=LABELS):
    """Writes FOLDER/VERSION, complete before it gets its name."""
    model = Parity(version)
    signatures = {"serving_default": model.serve}
    for name in ("pair", "tokens", "examples", "lengths", "count", "slow", "raw", "longest"):
        signatures[name] = getattr(model, name)
    temporary = pathlib.Path(folder) / f".{version}.tmp"
    tf.saved_model.save(model, str(temporary), signatures)
    (temporary / "labels.txt").write_text("\n".join(labels) + "\n")
    return temporary.rename(temporary.with_name(str(version)))


@pytest.fixture(scope="session")
def base_path(tmp_path_factory):
    """A base path with version 1."""
    return write_model(tmp_path_factory.mktemp("parity")).parent


class Client:
    """The addresses of a running server, and requests to it."""

    def __init__(self, rest_port, grpc_port):
        self.rest_port = rest_port
        self.url = f"http://127.0.0.1:{rest_port}"
        self.grpc = f"127.0.0.1:{grpc_port}"

    def get(self, path):
        """(status, JSON value)."""
        return self._send(urllib.request.Request(self.url + path))

    def post(self, path, body, headers=()):
        """As `get`; `body` is bytes, or a value that becomes JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._send(urllib.request.Request(self.url + path, content, dict(headers)))

    def predict(self, **body):
        return self.post("/v1/models/parity:predict", body)

    def text(self, path):
        with urllib.request.urlopen(self.url + path) as response:
            return response.read().decode()

    def _send(self, request):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@contextlib.contextmanager
def running(base_path, models=None, ports=None, **options):
    """Runs a server while the block does; yields its `Client`."""
    rest_port, grpc_port = ports or free_ports()
    models = models or (ModelConfig("parity", base_path),)
    options = Options(models, port=grpc_port, rest_api_port=rest_port, poll_seconds=0.1, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait_for(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def start():
        server = Server(options)
        await server.start()
        return server, asyncio.create_task(server.watch())

    server, watching = wait_for(start())
    try:
        yield Client(rest_port, grpc_port)
    finally:
        loop.call_soon_threadsafe(watching.cancel)
        wait_for(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


@contextlib.contextmanager
def process(base_path, *flags):
    """A server in a process of its own: (process, client), killed at the end if it still runs."""
    rest_port, grpc_port = free_ports()
    command = [sys.executable, "-m", "bert_tf", "serve", "--model_name=parity", f"--model_base_path={base_path}"]
    command += [f"--rest_api_port={rest_port}", f"--port={grpc_port}", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            for line in started.stdout:
                if line.startswith("gRPC API"):
                    break
            yield started, Client(rest_port, grpc_port)
        finally:
            started.kill()


def free_ports():
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


@pytest.fixture(scope="module")
def client(base_path):
    """A server without batching."""
    with running(base_path) as client:
        yield client
