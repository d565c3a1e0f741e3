"""One device, two, two workers and two parts of a batch learn the same from the same rows."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from bert_tf.training.distribution.local_workers import free_ports
from tests.training.distribution import train_runs

ROOT = pathlib.Path(__file__).parents[3]


def start(records, folder, run, **environment):
    command = [sys.executable, "-m", train_runs.__name__, str(records / "short"), str(folder), run]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment)


@pytest.fixture(scope="module")
def weights(records, tmp_path_factory):
    """Weights and losses by "STRATEGY:PARTS"; "one:1" is what the others are compared with."""
    folder = tmp_path_factory.mktemp("runs")
    for run in ("one:1", "one:2"):
        train_runs.train(str(records / "short"), folder, run)
    for run in ("mirrored:1", "mirrored:2"):  # a process can mirror once
        assert start(records, folder, run).wait() == 0
    return {path.stem: dict(np.load(path)) for path in folder.iterdir()}


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("run", ["one:2", "mirrored:1", "mirrored:2"])
def test_on_one_machine(weights, run):
    assert_same(weights[run], weights["one:1"])


def test_on_two_workers(records, weights, tmp_path):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    workers = [
        start(records, tmp_path, "multi_worker:1", TF_CONFIG=json.dumps({"cluster": cluster, "task": task}))
        for task in tasks
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    assert_same(dict(np.load(tmp_path / "multi_worker:1.npz")), weights["one:1"])
