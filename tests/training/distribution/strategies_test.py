"""One device, two, two workers and two parts of a batch learn the same from the same rows."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bert_tf.training.distribution.local_workers import free_ports

# Trains 20 steps as argv says and leaves the weights and the mean loss.
SCRIPT = """
import pathlib, sys
import keras, numpy as np, tensorflow as tf
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.training.compile_model import compile_model
from bert_tf.training.config import PhaseConfig, TrainingConfig
from bert_tf.training.distribution import strategies
from bert_tf.training.distribution.batches import distribute, rows_per_replica
from bert_tf.training.recipes.pretraining_data import RecordsSource

records, strategy, parts, output = sys.argv[1:]
if strategy == "mirrored":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
training = TrainingConfig(steps=20, learning_rate=1e-3, accumulation_steps=int(parts), precision="float32")
strategy = strategies.make_strategy(strategy)
source = RecordsSource(PhaseConfig(records=records, heldout=records, batch_size=16), training)
keras.utils.set_random_seed(0)
with strategy.scope():
    model = BertPretrainer(
        vocab_size=source.records.report["vocabulary"]["size"], hidden_size=16, num_layers=2, num_heads=2,
        intermediate_size=32, max_positions=32, hidden_dropout=0.0, attention_dropout=0.0,
    )
    compile_model(model, training)
data = distribute(strategy, source, rows_per_replica(strategy, 16, int(parts)))
losses = model.fit(data, steps_per_epoch=10, epochs=2, verbose=0, shuffle=False).history["loss"]
scores = source.validation.evaluate(model)
if strategies.worker()[0] == 0:
    np.savez(output, losses=losses, heldout=scores["loss"], **{
        name.replace("/", "."): array for name, array in model.to_weights().items()
    })
"""


def train(records, strategy, parts, output, environment=None):
    command = [sys.executable, "-c", SCRIPT, str(records), strategy, str(parts), str(output)]
    return subprocess.Popen(command, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | (environment or {}))


@pytest.fixture(scope="module")
def alone(records, tmp_path_factory):
    output = tmp_path_factory.mktemp("alone") / "weights.npz"
    assert train(records / "short", "one", 1, output).wait() == 0
    return dict(np.load(output))


def assert_same(alone, output):
    found = dict(np.load(output))
    assert found.keys() == alone.keys()
    for name, array in alone.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("strategy", "parts"), [("one", 2), ("mirrored", 1), ("mirrored", 2)])
def test_on_one_machine(records, alone, tmp_path, strategy, parts):
    assert train(records / "short", strategy, parts, tmp_path / "weights.npz").wait() == 0
    assert_same(alone, tmp_path / "weights.npz")


def test_on_two_workers(records, alone, tmp_path):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    workers = [
        train(
            records / "short",
            "multi_worker",
            1,
            tmp_path / "weights.npz",
            {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})},
        )
        for index in range(2)
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    assert_same(alone, tmp_path / "weights.npz")
