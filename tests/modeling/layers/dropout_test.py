"""Dropout drops what its rate says, keeps the mean, and draws the same from the same seed."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.layers.dropout import Dropout

TWO_REPLICAS = """
import numpy as np, tensorflow as tf
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.training.distribution.strategies import make_strategy
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = make_strategy("mirrored")
with strategy.scope():
    layer = Dropout(0.5, seed=7)
x = tf.ones((64, 64))
replicas = tf.function(lambda: strategy.run(lambda: layer(x, training=True)))()
one, other = strategy.experimental_local_results(replicas)
alone = Dropout(0.5, seed=7)(x, training=True)
print(np.mean(one == alone), np.mean(one == other))
"""


@pytest.mark.parametrize(("rate", "true_rate"), [(0.1, 26 / 256), (0.5, 0.5), (0.001, 1 / 256)])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_rate_and_scale(rate, true_rate, dtype):
    layer = Dropout(rate, seed=1, dtype=dtype)
    dropped = ops.convert_to_numpy(ops.cast(layer(ops.ones((300, 1000)), training=True), "float32"))
    spread = 5 * (true_rate * (1 - true_rate) / dropped.size) ** 0.5
    assert (dropped == 0).mean() == pytest.approx(true_rate, abs=spread)
    values = np.unique(dropped)
    np.testing.assert_allclose(values, [0, 1 / (1 - true_rate)], rtol=1e-6 if dtype == "float32" else 2**-8)
    # Neighbours in memory share a word of random bits and nothing else.
    kept = dropped.reshape(-1, 4) > 0
    for one, other in ((0, 1), (0, 3), (2, 3)):
        both = (kept[:, one] & kept[:, other]).mean()
        assert both == pytest.approx((1 - true_rate) ** 2, abs=2 * spread)


def test_odd_shapes_and_no_dropout():
    layer = Dropout(0.5, seed=1)
    x = ops.ones((3, 5, 7))
    assert layer(x, training=True).shape == (3, 5, 7)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)


def test_equal_states_draw_equally():
    def draws(layer):
        return [ops.convert_to_numpy(layer(ops.ones((4, 8)), training=True)) for _ in range(3)]

    layer = Dropout(0.5, seed=7)
    first = draws(layer)
    assert not np.array_equal(first[0], first[1])
    np.testing.assert_array_equal(first, draws(Dropout(0.5, seed=7)))
    resumed = Dropout(0.5, seed=8)
    keras.tree.map_structure(lambda theirs, ours: theirs.assign(ours), resumed.variables, layer.variables)
    np.testing.assert_array_equal(draws(resumed), draws(layer))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute is for TensorFlow alone")
def test_replicas_draw_each_their_own():
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    found = subprocess.run([sys.executable, "-c", TWO_REPLICAS], env=environment, stdout=subprocess.PIPE, check=True)
    as_alone, alike = map(float, found.stdout.split())
    assert as_alone == 1
    assert alike == pytest.approx(0.5, abs=5 * 0.5 / 64)
