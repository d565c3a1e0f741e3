"""The verb `serve`: a process and curl, and messages for wrong flags."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import types

import pytest

from bert_tf.cli.flags import VERBS
from bert_tf.cli.serve import serve
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.serving import options
from tests.serving.conftest import free_ports, process, running


def curl(*arguments):
    done = subprocess.run(["curl", "--silent", "--show-error", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_gets_answers_and_sigterm_waits_for_them(base_path):
    with process(base_path, "--verbosity=1") as (started, client):
        answer = curl("-d", '{"instances": ["abc"]}', f"{client.url}/v1/models/parity:predict")
        assert answer["predictions"][0]["label"] == "odd"
        assert curl(f"{client.url}/v1/models/parity")["model_version_status"][0]["state"] == "AVAILABLE"
        body = b'{"signature_name": "slow", "instances": [50000]}'
        with socket.create_connection(("127.0.0.1", client.rest_port), timeout=20) as connection:
            head = f"POST /v1/models/parity:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            time.sleep(0.2)  # until it runs
            began = time.monotonic()
            started.send_signal(signal.SIGTERM)
            assert b'{"predictions": [50000]}' in connection.makefile("rb").read()
        output, log = started.communicate(timeout=20)
        assert time.monotonic() - began < 15
        assert started.returncode == 0
        assert output == "Stopping: waiting for running requests\n"
        logged = [line for line in log.splitlines() if "REST parity predict" in line]
        assert len(logged) == 2
        assert re.search(r"REST parity predict OK \d+\.\d ms$", logged[0])


def test_a_missing_extra_is_named():
    code = """
import sys
sys.modules["aiohttp"] = sys.modules["tensorflow"] = None
sys.argv = ["bert-tf", "serve", "--model_base_path=x"]
from bert_tf.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "bert-tf: bert-tf serve needs aiohttp: pip install 'bert_tf[serve]'\n"


def test_the_server_is_imported_without_keras(tmp_path):
    (tmp_path / "file").write_text("")
    code = """
import atexit, gc, sys
found = {"keras", "keras.src", "tensorflow_text"}
atexit.register(lambda: print(sorted(found & set(sys.modules)), gc.isenabled()))
sys.argv = ["bert-tf", "serve", "--model_base_path=file"]
from bert_tf.cli.main import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "['tensorflow_text'] True\n"), done.stderr


def from_flags(**given):
    flags = {flag.name: flag.default for flag in VERBS["serve"].flags}
    return options.from_flags(types.SimpleNamespace(**flags | given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_base_path": None}, "Give either --model_base_path"),
        ({"model_config_file": "x"}, "Give either --model_base_path"),
        ({"model_name": "a/b"}, "--model_name='a/b'. Give a name without slash and colon."),
        ({"batching_parameters_file": "x"}, "no effect without --enable_batching"),
        ({"max_rows": 0}, "--max_rows=0. It must be at least 1."),
        ({"tensorflow_intra_op_parallelism": -1}, "--tensorflow_intra_op_parallelism=-1. It must be at least 0."),
        ({"port": 8501}, "Give two ports; 0 disables one."),
        ({"port": 0, "rest_api_port": 0}, "Give two ports; 0 disables one."),
        ({"port": 70000}, "Give two ports; 0 disables one."),
    ],
)
def test_wrong_flags(base_path, given, message):
    with pytest.raises(ConfigError) as caught:
        from_flags(**{"model_base_path": base_path} | given)
    assert message in str(caught.value)


def test_settings_are_refused():
    with pytest.raises(ConfigError, match="Received: 'a=b'. bert-tf serve has flags only"):
        serve(None, ["a=b"])


def test_flags_become_options(base_path, tmp_path):
    found = from_flags(model_base_path=base_path, enable_batching=True, rest_api_timeout_in_ms=500, port=0)
    assert (found.host, found.port, found.rest_api_port) == ("127.0.0.1", 0, 8501)
    assert found.limits.seconds == 0.5
    assert found.batching.max_batch_size == 32
    assert from_flags(model_base_path=base_path).batching.max_batch_size == 1
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/other" }')
    found = from_flags(model_base_path=base_path, monitoring_config_file=file)
    assert found.metrics_paths == ("/metrics", "/other")


def test_a_port_in_use_is_refused(base_path):
    with running(base_path) as client:
        again = running(base_path, ports=(client.rest_port, free_ports()[1]))
        with pytest.raises(InputError, match="Choose another --host, --rest_api_port or --port"):
            again.__enter__()


def test_metrics_count_requests(base_path):
    with running(base_path, metrics_paths=("/metrics", "/other")) as client:
        for _ in range(3):
            client.predict(instances=["abc"])
        client.predict(instances=[1])
        text = client.text("/other")
        name = 'bert_tf_requests_total{api="REST",code="%s",method="predict",model="parity"} %s.0'
        assert name % ("OK", 3) in text
        assert name % ("INVALID_ARGUMENT", 1) in text
        assert 'bert_tf_request_seconds_count{api="REST",method="predict",model="parity"} 4.0' in text
        assert "bert_tf_batch_rows_count 3.0" in text
        assert 'bert_tf_model_version{model="parity",version="1"} 1.0' in text
        assert "bert_tf_queue_rows 0.0" in text
