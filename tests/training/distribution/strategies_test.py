"""One device, two, two workers and two parts of a batch learn the same from the same rows."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bert_tf.training.distribution.local_workers import free_ports

# Trains 20 steps for each STRATEGY:PARTS of argv and leaves weights and losses in FOLDER/STRATEGY:PARTS.npz.
SCRIPT = """
import sys
import keras, numpy as np, tensorflow as tf
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import PhaseConfig, TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.recipes.pretraining_data import RecordsSource


def train(name, parts):
    training = TrainingConfig(steps=20, learning_rate=1e-3, accumulation_steps=parts, precision="float32")
    strategy = strategies.make_strategy(name)
    source = RecordsSource(PhaseConfig(records=records, heldout=records, batch_size=16), training)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = BertPretrainer(
            vocab_size=source.records.report["vocabulary"]["size"], hidden_size=16, num_layers=2, num_heads=2,
            intermediate_size=32, max_positions=32, hidden_dropout=0.0, attention_dropout=0.0,
        )
        compile_model(model, training)
    data = distribute(strategy, source, rows_per_replica(strategy, 16, parts))
    losses = model.fit(data, steps_per_epoch=10, epochs=2, verbose=0, shuffle=False).history["loss"]
    scores = source.validation.evaluate(model)
    if strategies.worker()[0] == 0:
        np.savez(f"{folder}/{name}:{parts}.npz", losses=losses, heldout=scores["loss"], **{
            name.replace("/", "."): array for name, array in model.to_weights().items()
        })


records, folder, *runs = sys.argv[1:]
if not strategies.check_cluster():
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
for run in runs:
    name, parts = run.split(":")
    train(name, int(parts))
"""


def start(records, folder, *runs, **environment):
    command = [sys.executable, "-c", SCRIPT, str(records / "short"), str(folder), *runs]
    return subprocess.Popen(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment)


@pytest.fixture(scope="module")
def weights(records, tmp_path_factory):
    """Weights and losses by "STRATEGY:PARTS"; "one:1" is what the others are compared with."""
    folder = tmp_path_factory.mktemp("runs")
    for runs in (("one:1", "one:2"), ("mirrored:1",), ("mirrored:2",)):  # a process can mirror once
        assert start(records, folder, *runs).wait() == 0
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
