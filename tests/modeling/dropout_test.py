"""Dropout drops what its rate says, keeps the mean, and draws the same from the same seed."""

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.dropout import Dropout


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
