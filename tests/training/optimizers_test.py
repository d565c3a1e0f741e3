"""The schedule and the optimizer, worked by hand."""

import keras
import numpy as np
import pytest

from bert_tf.training.optimizers import WarmupLinearDecay, adamw


def test_schedule_goes_up_then_straight_down():
    schedule = WarmupLinearDecay(1.0, warmup_steps=4, steps=12)
    rates = [float(schedule(step)) for step in range(13)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[4:], [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0])


def test_schedule_survives_its_config():
    schedule = WarmupLinearDecay(0.3, 2, 9)
    copy = WarmupLinearDecay.from_config(schedule.get_config())
    assert [float(copy(i)) for i in range(9)] == [float(schedule(i)) for i in range(9)]


def test_no_decay_on_biases_and_norms():
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2), keras.layers.LayerNormalization()])
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    adamw(0.5, weight_decay=0.1).apply(
        [np.zeros(v.shape, "float32") for v in model.trainable_variables], model.trainable_variables
    )
    values = {variable.name: float(np.unique(variable.numpy()).item()) for variable in model.trainable_variables}
    assert values == {"kernel": pytest.approx(1 - 0.5 * 0.1), "bias": 1.0, "gamma": 1.0, "beta": 1.0}


def test_gradients_are_clipped_by_their_global_norm():
    optimizer = adamw(1e-3)
    assert optimizer.global_clipnorm == 1.0
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer.apply([np.array([300.0, 400.0], "float32")], [variable])
    # Adam's first moment is a tenth of the clipped gradient, (0.6, 0.8).
    np.testing.assert_allclose(optimizer._momentums[0].numpy(), [0.06, 0.08], rtol=1e-5)
