"""Measures requests per second and p99 latency of `bert-tf serve`, with one client and many, with and without batching.

    python tools/benchmark_serving.py --model FOLDER [--clients 32] [--seconds 8] [--rounds 3] [--api rest|grpc]
        [--dtype bfloat16] [--constants] [--sentences FILE.tsv]

Exports a model (any folder that `TextClassifier.from_pretrained` opens), serves it in a process of its own, and sends
one text per request, of 4 to 24 words or from the last column of a file; each client waits for its answer before it
sends the next. Rounds with one client and with many alternate, so that other work on the machine affects both, and
medians over the rounds are compared. Every answer is compared with Keras. The CPU time is that of the server: of its
start, and for each request.
"""

import argparse
import asyncio
import contextlib
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

import aiohttp
import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from bert_tf.export.saved_model import export_saved_model
from bert_tf.tasks import TextClassifier

WORDS = ("a", "film", "of", "warmth", "and", "wit", "that", "never", "knows", "when", "to", "stop", "although", "right")
REST_PORT, GRPC_PORT = 18501, 18500
SERVER = f"http://127.0.0.1:{REST_PORT}"
URL = f"{SERVER}/v1/models/bench"


def make_texts(path=None, count=64):
    """Random sentences of 4 to 24 words, the same in each run; or the first of a file, without its header."""
    if path:
        rows = path.read_text(encoding="utf-8").splitlines()[1 : count + 1]
        return [row.split("\t")[-1] for row in rows]
    draw = random.Random(0)
    return [" ".join(draw.choices(WORDS, k=draw.randint(4, 24))) for _ in range(count)]


@contextlib.contextmanager
def serving(base_path, *flags):
    """A context in which `bert-tf serve` runs in its own process."""
    command = [sys.executable, "-m", "bert_tf", "serve", "--model_name=bench", f"--model_base_path={base_path}"]
    command += [f"--rest_api_port={REST_PORT}", f"--port={GRPC_PORT}", *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


async def rest_client():
    """(coroutine function from a text to its probabilities, function to close it), over one HTTP connection."""
    session = aiohttp.ClientSession()

    async def ask(text):
        async with session.post(f"{URL}:predict", json={"inputs": [text]}) as response:
            answer = await response.json()
            if response.status != 200:
                raise RuntimeError(answer["error"])
            return answer["outputs"]["probabilities"][0]

    return ask, session.close


async def grpc_client():
    """As `rest_client`, over one gRPC connection."""
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{GRPC_PORT}", [("grpc.use_local_subchannel_pool", 1)])
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    async def ask(text):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "bench"
        request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
        return tf.make_ndarray((await stub.Predict(request)).outputs["probabilities"])[0]

    return ask, channel.close


async def load(api, clients, seconds, texts, expected):
    """Runs clients in parallel for some seconds.

    Returns:
        (requests per second, sorted latencies in seconds, the server's CPU seconds for each request, errors, largest
        difference from `expected`).
    """
    latencies, errors, differences = [], [], [0.0]
    end = time.perf_counter() + seconds

    async def client(number):
        ask, close = await {"rest": rest_client, "grpc": grpc_client}[api]()
        turn = number
        while (began := time.perf_counter()) < end:
            try:
                found = await ask(texts[turn % len(texts)])
                latencies.append(time.perf_counter() - began)
                differences.append(float(np.abs(np.subtract(found, expected[turn % len(texts)])).max()))
            except Exception as error:
                errors.append(repr(error))
            turn += 1
        await close()

    began, worked = time.perf_counter(), await server_cpu()
    await asyncio.gather(*map(client, range(clients)))
    seconds, cpu = time.perf_counter() - began, await server_cpu() - worked
    return len(latencies) / seconds, sorted(latencies), cpu / len(latencies), errors, max(differences)


async def server_cpu():
    """The CPU seconds of the server so far."""
    async with aiohttp.ClientSession() as session, session.get(f"{SERVER}/metrics") as response:
        return float(re.search(r"^process_cpu_seconds_total (\S+)", await response.text(), re.MULTILINE)[1])


async def wait_until_served():
    """Returns when the server answers; ends the program after a minute."""
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(URL) as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise SystemExit(f"The server did not answer at {URL} within 60 seconds.")


async def measure(options, texts, expected):
    """Runs the rounds and prints their figures; returns the median requests per second of one client and of many."""
    began = time.perf_counter()
    await wait_until_served()
    print(f"  served after {time.perf_counter() - began:.1f} s, {await server_cpu():.1f} s of CPU time")
    await load(options.api, options.clients, 3, texts, expected)  # warm-up: every batch size is traced once
    speeds = {1: [], options.clients: []}
    for _ in range(options.rounds):
        for clients, found in speeds.items():
            speed, latencies, cpu, errors, difference = await load(
                options.api, clients, options.seconds, texts, expected
            )
            found.append(speed)
            p50, p99 = (1000 * latencies[int(q * len(latencies))] for q in (0.5, 0.99))
            print(
                f"  {clients:3} clients: {speed:7.1f} requests/s, p50 {p50:6.1f} ms, p99 {p99:6.1f} ms, "
                f"CPU {1000 * cpu:.2f} ms/request, {len(errors)} errors, within {difference:.0e} of Keras "
                f"{errors[:1] or ''}",
                flush=True,
            )
    return [statistics.median(found) for found in speeds.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--api", choices=("rest", "grpc"), default="rest")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--constants", action="store_true", help="export the weights as constants")
    parser.add_argument("--sentences", type=pathlib.Path, help="a .tsv with a header, texts in its last column")
    options = parser.parse_args()
    texts = make_texts(options.sentences)
    model = TextClassifier.from_pretrained(options.model, labels=["negative", "positive"])
    served, tolerance = model, 1e-4
    if options.dtype != "float32":
        served = TextClassifier.from_pretrained(options.model, options.dtype, labels=model.labels)
        tolerance = 0.05
    expected = [list(answer["probabilities"].values()) for answer in model.predict_text(texts)]
    with tempfile.TemporaryDirectory() as folder:
        base_path = pathlib.Path(folder) / "bench"
        export_saved_model(
            *(served, base_path, texts[:4]), reference=model, tolerance=tolerance, constants=options.constants
        )
        for name, flags in {"no batching": (), "batching": ("--enable_batching",)}.items():
            print(name)
            with serving(base_path, *flags):
                one, many = asyncio.run(measure(options, texts, expected))
            print(f"  throughput with {options.clients} clients: {many / one:.1f} times that with one")


if __name__ == "__main__":
    main()
