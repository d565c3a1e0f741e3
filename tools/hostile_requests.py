"""Sends thousands of broken or abusive requests to a server; prints the answers' statuses and the server's memory.

    bert-tf serve --model_name=docs --model_base_path=saved_models/docs --enable_batching
    python tools/hostile_requests.py --port 8501 --grpc_port 8500 --model docs [--count 10000] [--seconds 120]

They include broken JSON, wrong types, huge numbers, NaN, deep nesting, half surrogate pairs, tokens that no model can
read, broken base64, wrong lengths, oversize headers, compression bombs, path traversal, noise, and clients that are
slow or disconnect; over gRPC tensors without types, of false shapes, bytes that are no proto, and unknown methods.
Every request must get a status 2xx or 4xx, or a closed connection; over gRPC any status but UNKNOWN, INTERNAL and
UNAVAILABLE. With --seconds, many clients then send good requests for so long, and a third of them disconnect at a
random moment: all others must get their answer. If not, or if a valid request fails at the end, the exit code is 1.
"""

import argparse
import base64
import collections
import concurrent.futures
import gzip
import http.client
import json
import random
import re
import socket
import sys
import time

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import classification_pb2, predict_pb2

GOOD = {"instances": ["a plain text"]}


def post(path, body, *headers, length=None):
    """The bytes of an HTTP request; `length` replaces the true Content-Length."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*head, "Connection: close", *headers, "", ""]).encode() + body


# Each of these functions makes the bytes of one request from a random generator and the path of the predict call.


def broken_json(draw, path):
    body = bytearray(json.dumps(GOOD).encode())
    for _ in range(draw.randint(1, 6)):
        body[draw.randrange(len(body))] = draw.randrange(256)
    return post(path, bytes(body[: draw.randint(0, len(body))]))


def wrong_types(draw, path):
    def value(depth):
        kinds = [lambda: draw.choice([None, True, -1, 0.5, "", "x" * 50, {}, []])]
        if depth:
            kinds += [lambda: [value(depth - 1) for _ in range(draw.randint(0, 4))]]
            kinds += [lambda: {draw.choice(["text", "b64", "ids", ""]): value(depth - 1) for _ in range(3)}]
        return draw.choice(kinds)()

    body = {draw.choice(["instances", "inputs", "examples", "signature_name"]): value(4) for _ in range(2)}
    return post(path.replace(":predict", draw.choice([":predict", ":classify", ":regress"])), json.dumps(body).encode())


def huge_numbers(draw, path):
    number = draw.choice(["9" * draw.choice([20, 400, 5000, 100_000]), "1e999", "-1e-999", f"{2**63}", f"-{2**31 + 1}"])
    names = draw.choice(
        ['"instances": [%s]', '"inputs": {"input_ids": [[%s]], "input_mask": [[1]], "segment_ids": [[0]]}']
    )
    return post(path, ('{"signature_name": "tokens", ' + names % number + "}").encode())


def not_a_number(draw, path):
    return post(path, json.dumps({"inputs": [draw.choice([float("nan"), float("inf"), -float("inf")])] * 3}).encode())


def deep_nesting(draw, path):
    opening = draw.choice([b"[", b'{"instances":', b'[{"inputs":'])
    return post(path, b'{"instances":' + opening * draw.choice([50, 900, 5000, 60_000]))


def half_surrogates(draw, path):
    half = draw.choice(["\\ud800", "\\uDFFF", "\\udc00\\ud800"])
    body = draw.choice(
        [
            '{"instances": ["%s"]}',
            '{"instances": [{"%s": "a"}]}',
            '{"signature_name": "%s", "instances": ["a"]}',
            '{"signature_name": "examples", "examples": [{"%s": "a"}]}',
            '{"signature_name": "examples", "examples": [{"text": ["%s"]}], "context": {}}',
            '{"instances": [{"b64": "%s"}]}',
        ]
    )
    method = ":classify" if "examples" in body else ":predict"
    return post(path.replace(":predict", method), (body % half).encode())


def broken_tokens(draw, path):
    """Rows of unequal shapes, and values outside of their tables: a model that reads all would answer something."""
    inputs = {}
    for name in ("input_ids", "input_mask", "segment_ids"):
        values = draw.choice([[1], [0], [-1], [2], [10**6], [2**31], [1.0], [True], [None], ["1"], [[1]]])
        inputs[name] = [values * draw.choice([0, 1, 2, 3, 513, 20_000])] * draw.choice([1, 1, 1, 2])
    inputs["input_ids"] += draw.choice([[], [[1]], [1]])
    signature = draw.choice(["tokens", "logits"])
    return post(path, json.dumps({"signature_name": signature, "inputs": inputs}).encode())


def strange_names(draw, path):
    name = draw.choice(
        ["__saved_model_init_op", "", " ", "serving_default ", "../x", "\x00", "a" * 100_000, "😀", "{}"]
    )
    body = {draw.choice(["signature_name", "inputs", "instances", name]): name, "instances": [draw.choice(["a", name])]}
    headers = [f"Content-Type: {draw.choice(['text/plain; charset=nonsense', 'image/png', 'multipart/form-data'])}"]
    return post(path, json.dumps(body).encode(draw.choice(["utf-8", "utf-16", "utf-32", "utf-8-sig"])), *headers)


def broken_base64(draw, path):
    text = draw.choice(["@@@", "YQ", "YQ==YQ==", "\u00e9", "A" * 4097, base64.b64encode(draw.randbytes(99)).decode()])
    return post(path, json.dumps({"instances": [{"b64": text}]}).encode())


def wrong_length(draw, path):
    body = json.dumps(GOOD).encode()
    return post(path, body, length=draw.choice([0, 3, len(body) + 50, -1, 10**30, "x", "1, 2", ""]))


def oversize_head(draw, path):
    size = draw.choice([9000, 100_000])
    many = [f"X-{i}: {'y' * 100}" for i in range(size // 100)]
    return draw.choice(
        [post(path, b"{}", "X-Long: " + "y" * size), post(path + "?" + "y" * size, b"{}"), post(path, b"{}", *many)]
    )


def packed(draw, path):
    bomb = gzip.compress(b" " * 20_000_000, 1) if draw.random() < 0.1 else gzip.compress(b"{}")[: draw.randint(0, 22)]
    return post(path, bomb, f"Content-Encoding: {draw.choice(['gzip', 'deflate', 'other'])}")


def climbing_path(draw, path):
    up = draw.choice(["..", "%2e%2e", "..%2f..", "%252e", "//", "\\..", "%00", "%ff"])
    aim = draw.choice(
        [f"/{up}/{up}/etc/passwd", f"/v1/models/{up}", path.replace(":", f"/versions/{up}:"), f"/v1/{up}"]
    )
    return post(aim, json.dumps(GOOD).encode())


def large_body(draw, path):
    return post(path, json.dumps({"instances": ["x" * draw.choice([70_000, 900_000, 3_000_000])]}).encode())


def many_rows(draw, path):
    return post(path, json.dumps({"instances": [""] * draw.choice([0, 100, 129, 50_000])}).encode())


def long_text(draw, path):
    letters = [
        chr(draw.choice([draw.randint(32, 126), draw.randint(0x300, 0x36F), draw.randint(0x4E00, 0x9FFF)]))
        for _ in range(99)
    ]
    return post(path, json.dumps({"instances": ["".join(letters) * draw.choice([1, 50, 200])]}).encode())


def bad_chunks(draw, path):
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    return (head + draw.choice(["", "Content-Length: 5\r\n"])).encode() + draw.choice(
        [b"\r\nzz\r\n", b"\r\nffffffffffffffffff\r\n", b"\r\n5\r\n{}\r\n", b"\r\n-1\r\n", b"\r\n3\r\n{}"]
    )


def noise(draw, path):
    return draw.randbytes(draw.randint(1, 2000))


KINDS = (
    [broken_json, wrong_types, huge_numbers, not_a_number, deep_nesting, broken_base64, wrong_length, oversize_head]
    + [half_surrogates, broken_tokens, strange_names, packed, climbing_path, large_body, many_rows, long_text]
    + [bad_chunks, noise]
)  # fmt: skip
ENDLESS = (wrong_length, bad_chunks, noise)  # the server may wait for the rest of these
MANNERS = ("whole", "whole", "whole", "whole", "slow", "leaves")


def attack(port, model, count, seed=0, workers=16):
    """Sends `count` requests; returns a Counter of (kind, outcome).

    The outcome is the status, "closed" (by the server), "left" (by the client), or "waits" (the server for more).
    """

    def one(number):
        draw = random.Random(f"{seed} {number}")
        kind = draw.choice(KINDS)
        content = kind(draw, f"/v1/models/{model}:predict")
        return kind.__name__, send(port, content, draw.choice(MANNERS), draw, 1 if kind in ENDLESS else 60)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return collections.Counter(pool.map(one, range(count)))


def send(port, content, manner, draw, timeout):
    """Sends a request and returns its outcome; a slow client pauses in the middle, another disconnects there."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            if manner != "whole":
                cut = draw.randrange(len(content))
                connection.sendall(content[:cut])
                time.sleep(0.05)
                content = content[cut:]
            if manner == "leaves":
                return "left"
            connection.sendall(content)
            answer = connection.recv(100)
        except TimeoutError:
            return "waits" if timeout == 1 else "500, no answer"
        except OSError:
            return "closed"
    status = re.match(rb"HTTP/1\.[01] (\d+)", answer)
    return status[1].decode() if status else "closed"


# Each of these functions makes the method and the bytes of one gRPC request.
PREDICTION = "/tensorflow.serving.PredictionService/"


def predict_proto(**inputs):
    """The bytes of a PredictRequest to the model that `grpc_attack` names; inputs are TensorProtos or values."""
    request = predict_pb2.PredictRequest()
    for name, value in inputs.items():
        if not isinstance(value, tensor_pb2.TensorProto):
            value = tf.make_tensor_proto(value)
        request.inputs[name].CopyFrom(value)
    return request


def tensors_without_sense(draw):
    proto = tensor_pb2.TensorProto(dtype=draw.choice([0, 1, 3, 7, 20, 21, 23, 99, 107]))
    for _ in range(draw.randint(0, 3)):
        proto.tensor_shape.dim.add(size=draw.choice([-1, 0, 1, 2, 2**40, 2**62]))
    proto.tensor_shape.unknown_rank = draw.random() < 0.2
    proto.string_val.extend([b"a"] * draw.choice([0, 1, 3]))
    proto.int_val.extend([1] * draw.choice([0, 1, 3]))
    proto.tensor_content = draw.randbytes(draw.choice([0, 0, 1, 8]))
    return "Predict", predict_proto(text=proto)


def tokens_without_sense(draw):
    inputs = {}
    for name in ("input_ids", "input_mask", "segment_ids"):
        shape = [draw.choice([0, 1, 1, 2]), draw.choice([0, 1, 3, 600])][: draw.choice([1, 2, 2, 2])]
        inputs[name] = np.full(shape, draw.choice([0, 1, 1, -1, 2**31 - 1, -(2**31)]), draw.choice(["int32", "int64"]))
    request = predict_proto(**inputs)
    request.model_spec.signature_name = draw.choice(["tokens", "logits", "", "\u00e9"])
    return "Predict", request


def false_versions(draw):
    request = predict_proto(text=["a"])
    if draw.random() < 0.5:
        request.model_spec.version.value = draw.choice([-1, 0, 2**62, -(2**63)])
    else:
        request.model_spec.version_label = draw.choice(["x", "a" * 10_000])
    request.output_filter.extend([draw.choice(["", "label", "x" * 1000])] * draw.choice([0, 1, 1000]))
    return draw.choice(["Predict", "Classify", "Regress", "GetModelMetadata"]), request


def no_examples(draw):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.signature_name = draw.choice(["examples", "", "tokens"])
    for _ in range(draw.choice([0, 1, 129])):
        example = request.input.example_list.examples.add()
        if draw.random() < 0.5:
            example.features.feature[draw.choice(["text", ""])].bytes_list.value.append(draw.randbytes(9))
        else:
            example.features.feature["text"].float_list.value.append(float("nan"))
    return draw.choice(["Classify", "Regress", "MultiInference"]), request


GRPC_KINDS = [tensors_without_sense, tokens_without_sense, false_versions, no_examples]
GRPC_METHODS = ("Predict", "Classify", "Regress", "GetModelMetadata", "MultiInference", "Other", "../Predict")
GRPC_BAD = ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED")


def grpc_attack(port, model, count, seed=0, workers=16):
    """Sends `count` gRPC requests, a third of them changed in some bytes; a Counter of (kind, status)."""

    def one(channel, number):
        draw = random.Random(f"{seed} {number}")
        kind = draw.choice(GRPC_KINDS)
        method, request = kind(draw)
        request.model_spec.name = draw.choice([model, model, model, "other", ""])
        content = bytearray(request.SerializeToString())
        if draw.random() < 0.4:
            method = draw.choice(GRPC_METHODS)
            for _ in range(draw.randint(1, 4)):
                content[draw.randrange(len(content))] = draw.randrange(256)
        elif draw.random() < 0.1:
            content = draw.randbytes(draw.choice([0, 1, 1000]))
        try:
            channel.unary_unary(PREDICTION + method)(bytes(content), timeout=60)
            return kind.__name__, "OK"
        except grpc.RpcError as error:
            return kind.__name__, error.code().name

    with (
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):
        return collections.Counter(pool.map(lambda number: one(channel, number), range(count)))


def crowd(port, model, clients, seconds, seed=0):
    """Many clients send good requests; a third of the requests end by a disconnection. A Counter of outcomes."""
    end = time.monotonic() + seconds

    def client(number):
        draw, found = random.Random(f"{seed} {number}"), collections.Counter()
        while time.monotonic() < end:
            rows = ["a plain text " * draw.randint(1, 20) for _ in range(draw.randint(1, 4))]
            content = post(f"/v1/models/{model}:predict", json.dumps({"instances": rows}).encode())
            found[good_or_gone(port, content, draw)] += 1
        return found

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients)), collections.Counter())


def good_or_gone(port, content, draw):
    """Sends a good request; returns the status, or "left" of a client that disconnected before or after sending it."""
    leaves = draw.random() < 1 / 3
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(content[: draw.randrange(len(content))] if leaves and draw.random() < 0.5 else content)
            if leaves:
                time.sleep(draw.random() * 0.2)
                return "left"
            status = re.match(rb"HTTP/1\.[01] (\d+)", connection.recv(100))
            return status[1].decode() if status else "closed"
    except OSError as error:
        return type(error).__name__


def get(port, method, path, body=None):
    """(status, body) of one HTTP request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.status, response.read().decode()


def memory(port):
    """Resident memory of the server in MiB, from its metrics."""
    return float(re.search(r"^process_resident_memory_bytes (\S+)", get(port, "GET", "/metrics")[1], re.M)[1]) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--model", required=True)
    parser.add_argument("--grpc_port", type=int, default=0, help="0: REST only")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0, help="of the crowd of good clients; 0: none")
    options = parser.parse_args()
    found, step = collections.Counter(), 1000
    print(f"     0 requests: {memory(options.port):,.0f} MiB", flush=True)
    for seed in range(-(-options.count // step)):
        found += attack(options.port, options.model, step, seed)
        print(f"{(seed + 1) * step:6} requests: {memory(options.port):,.0f} MiB", flush=True)
    if options.grpc_port:
        found += grpc_attack(options.grpc_port, options.model, options.count)
        print(f"{options.count:6} over gRPC: {memory(options.port):,.0f} MiB", flush=True)
    for kind in [*KINDS, *GRPC_KINDS]:
        statuses = {status: count for (name, status), count in sorted(found.items()) if name == kind.__name__}
        print(f"{kind.__name__:21} " + "  ".join(f"{status}: {count}" for status, count in statuses.items()))
    failed = {key for key in found if key[1].startswith("5") or key[1] in GRPC_BAD}
    if options.seconds:
        before = memory(options.port)
        outcomes = crowd(options.port, options.model, options.clients, options.seconds)
        print(
            f"{options.clients} clients, {options.seconds:.0f} s: {dict(outcomes)}, {sum(outcomes.values())} requests"
        )
        print(f"memory: {before:,.0f} MiB before, {memory(options.port):,.0f} MiB after")
        failed |= outcomes.keys() - {"200", "left"}
    status, answer = get(options.port, "POST", f"/v1/models/{options.model}:predict", json.dumps(GOOD))
    print(f"valid request: {status} {answer[:100]}")
    sys.exit(status != 200 or bool(failed))


if __name__ == "__main__":
    main()
