"""Bootstrap intervals against the normal approximation."""

import numpy as np
import pytest

from bert_tf.evaluation.confidence_intervals import intervals


def test_an_interval_is_that_of_the_sample():
    right = np.array([1.0] * 80 + [0.0] * 20)
    (low, high) = intervals({"accuracy": lambda rows: right[rows].mean()}, 100)["accuracy"]
    # The mean of 100 draws has a deviation of 4 points: 95 % lie within 1.96 of them.
    assert low == pytest.approx(0.72, abs=0.015)
    assert high == pytest.approx(0.88, abs=0.015)
    assert intervals({"accuracy": lambda rows: right[rows].mean()}, 100)["accuracy"] == (low, high)
