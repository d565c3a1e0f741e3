"""The baseline of an evaluation, and models that do no better."""

import types

import numpy as np
import pytest

from bert_tf.evaluation.baseline import find_baseline, find_weakness
from bert_tf.evaluation.results import EvaluationResult


def result_of(score, answers):
    counts = np.array([[3, 0], [1, 4]])  # three of "neg", five of "pos"
    return EvaluationResult({"accuracy": score}, {}, confusion=(["neg", "pos"], counts), answers=answers)


def test_the_baseline_is_the_commonest_class():
    postprocessor = types.SimpleNamespace(constant_score=lambda targets: 5 / 8)
    model = types.SimpleNamespace(postprocessor=postprocessor, SCORE="accuracy")
    found = find_baseline(model, types.SimpleNamespace(targets=["pos"] * 5), result_of(0.9, ["neg", "pos"]))
    assert found == {"metric": "accuracy", "score": 0.625, "answer": "pos"}


@pytest.mark.parametrize(
    ("score", "answers", "warning"),
    [
        (0.9, ["neg", "pos"], None),
        (0.625, ["neg", "pos"], "no better than one answer to all examples: its accuracy is 0.625"),
        (0.5, ["neg", "pos"], "that gets 0.625"),
        (0.625, ["pos"] * 8, "gives one answer, 'pos', to all 8"),
        (0.9, ["pos"] * 8, "gives one answer, 'pos', to all 8"),
        (1.0, ["pos"] * 8, None),
        (float("nan"), [], "its accuracy is nan"),
    ],
)
def test_a_model_that_tells_nothing_apart_is_named(score, answers, warning):
    baseline = {"metric": "accuracy", "score": 0.625, "answer": "pos"}
    found = find_weakness(baseline, result_of(score, answers))
    assert found is None if warning is None else warning in found
