"""A few hundred of the requests of tools/hostile_requests.py, and clients that never finish."""

import pathlib
import runpy
import signal
import socket
import time

import pytest

from bert_tf.serving import web_app
from bert_tf.serving.limits import Limits
from tests.serving.conftest import process, running

TOOL = runpy.run_path(pathlib.Path(__file__).parents[2] / "tools/hostile_requests.py")


def test_hostile_requests_do_not_stop_the_server_or_fill_its_memory(base_path):
    with process(base_path, "--enable_batching") as (started, client):
        TOOL["attack"](client.rest_port, "parity", 200, seed=1)
        before = TOOL["memory"](client.rest_port)
        found = TOOL["attack"](client.rest_port, "parity", 600, seed=2)
        wrong = {key: count for key, count in found.items() if key[1][0] not in "24clw"}  # closed, left, waits
        assert wrong == {}
        assert len({kind for kind, _ in found}) == len(TOOL["KINDS"])
        found = TOOL["grpc_attack"](client.grpc.split(":")[1], "parity", 400)
        assert {key for key in found if key[1] in TOOL["GRPC_BAD"]} == set()
        assert len({kind for kind, _ in found}) == len(TOOL["GRPC_KINDS"])
        assert TOOL["crowd"](client.rest_port, "parity", 20, 3.0).keys() == {"200", "left"}
        assert TOOL["memory"](client.rest_port) - before < 60  # MiB; the large bodies together have more
        assert client.predict(instances=["abc"])[1]["predictions"][0]["label"] == "odd"
        with socket.create_connection(("127.0.0.1", client.rest_port)) as idle:  # does not delay the end
            idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(100)
            started.send_signal(signal.SIGINT)
            log = started.communicate(timeout=30)[1]
        assert (started.returncode, log) == (0, "")  # clients cannot fill the log


def test_unknown_model_names_make_no_new_metrics(client):
    for number in range(50):
        client.get(f"/v1/models/unknown{number}")
        client.post(f"/v1/models/unknown{number}:predict", {"instances": ["a"]})
    assert "unknown1" not in client.text("/metrics")
    assert 'bert_tf_requests_total{api="REST",code="NOT_FOUND",method="predict",model="unknown"}' in client.text(
        "/metrics"
    )


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v1/models/parity:predict HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_a_client_that_never_finishes_is_cut_off(base_path, monkeypatch, sent):
    monkeypatch.setattr(web_app, "KEEP_ALIVE", 0.3)
    with (
        running(base_path) as client,
        socket.create_connection(("127.0.0.1", client.rest_port), timeout=20) as connection,
    ):
        connection.sendall(sent)
        began = time.monotonic()
        while connection.recv(1 << 16):
            pass  # the answer to the complete request
        assert time.monotonic() - began < 15


def test_a_body_that_never_ends_is_408(base_path):
    with running(base_path, limits=Limits(seconds=0.3)) as client:
        connection = socket.create_connection(("127.0.0.1", client.rest_port), timeout=20)
        with connection:
            connection.sendall(b"POST /v1/models/parity:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408 ")
