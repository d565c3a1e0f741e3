"""The temperature that undoes a model's exaggeration."""

import numpy as np
import pytest

from bert_tf.evaluation.plots import calibration_error
from bert_tf.evaluation.temperature import at_temperature, fit_temperature


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_exaggerated_logits(factor):
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, (20000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    targets = (honest.cumsum(1) > random.random((len(honest), 1))).argmax(1)
    given = at_temperature(honest, 1 / factor)
    temperature = fit_temperature(given, targets)
    assert temperature == pytest.approx(factor, rel=0.05)
    scaled = at_temperature(given, temperature)
    np.testing.assert_allclose(scaled.sum(1), 1)
    np.testing.assert_array_equal(scaled.argmax(1), given.argmax(1))
    assert calibration_error(scaled.max(1), scaled.argmax(1) == targets) < 0.02


def test_certain_probabilities_stay_finite():
    certain = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(fit_temperature(certain, np.array([0, 0])))
