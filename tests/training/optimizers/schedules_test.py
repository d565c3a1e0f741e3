"""Rates of every step of small schedules, worked by hand."""

import keras
import numpy as np
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.training.optimizers.schedules import make_schedule


def rates(schedule, steps):
    return [float(schedule(step)) for step in range(steps)]


def test_linear_goes_up_then_straight_down():
    schedule = make_schedule("linear", 1.0, steps=12, warmup_steps=4)
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    np.testing.assert_allclose(rates(schedule, 14), expected)


def test_linear_ends_above_zero_on_request():
    schedule = make_schedule("linear", 1.0, steps=6, warmup_steps=2, end=0.2)
    np.testing.assert_allclose(rates(schedule, 8), [0.5, 1.0, 1.0, 0.8, 0.6, 0.4, 0.2, 0.2], rtol=1e-6)


def test_cosine_is_half_a_wave():
    schedule = make_schedule("cosine", 2.0, steps=8, warmup_steps=2, end=1.0)
    half = np.sqrt(3) / 4
    down = [2.0, 1.5 + half, 1.75, 1.5, 1.25, 1.5 - half, 1.0]
    np.testing.assert_allclose(rates(schedule, 9), [1.0, 2.0, *down], rtol=1e-6)


def test_constant_stays_until_its_cooldown():
    schedule = make_schedule("constant", 1.0, steps=9, warmup_steps=2, cooldown_steps=4)
    np.testing.assert_allclose(rates(schedule, 11), [0.5, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0])


def test_constant_without_cooldown_stays():
    np.testing.assert_allclose(rates(make_schedule("constant", 1.0, steps=4, warmup_steps=0), 6), np.ones(6))


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_schedules_survive_saving(name):
    schedule = make_schedule(name, 0.3, 9, 2, cooldown_steps=3 if name == "constant" else 0, end=0.1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert rates(copy, 9) == rates(schedule, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("exponential", 1.0, 10, 0), "linear, cosine, constant"),
        (("linear", 1.0, 10, 11), "warmup_steps=11"),
        (("constant", 1.0, 10, 5, 6), "cooldown_steps=6"),
        (("linear", 1.0, 0, 0), "steps=0"),
        (("cosine", 1.0, 10, 1, 2), "Only a constant rate"),
    ],
)
def test_impossible_schedules_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_schedule(*settings)
