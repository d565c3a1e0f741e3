"""Membership inference on known distributions of losses, and on a model that has learned its examples by heart."""

import keras
import numpy as np
import pytest
from scipy import stats

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.data.readers.examples import Examples
from bert_tf.evaluation.membership import area, confidences, likelihood_ratios, measure_leakage, roc_curve
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY


def test_the_area_is_that_of_the_rank_statistic():
    random = np.random.default_rng(0)
    scores, is_member = random.integers(8, size=60).astype(float), random.random(60) < 0.4
    statistic = stats.mannwhitneyu(scores[is_member], scores[~is_member]).statistic
    assert area(scores, is_member) == pytest.approx(statistic / (is_member.sum() * (~is_member).sum()))
    false, found = roc_curve(np.array([3.0, 2, 2, 1]), np.array([True, True, False, False]))
    assert (false.tolist(), found.tolist()) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])


def test_likelihood_ratios_find_what_a_threshold_cannot():
    random = np.random.default_rng(0)
    is_member = np.arange(2000) < 1000
    values = random.normal(size=2000) * np.where(is_member, 0.3, 2.0)  # equal means
    classes = np.zeros(2000, int)
    assert abs(area(values, is_member) - 0.5) < 0.03
    assert area(likelihood_ratios(values, is_member, classes, random), is_member) > 0.8
    assert abs(area(likelihood_ratios(random.normal(size=2000), is_member, classes, random), is_member) - 0.5) < 0.03
    classes = random.integers(2, size=2000)
    shifted = random.normal(size=2000) + np.where(is_member, 2.0, -2.0) * (2 * classes - 1)  # in opposite directions
    assert area(likelihood_ratios(shifted, is_member, classes, random), is_member) > 0.95


def test_confidences():
    np.testing.assert_allclose(confidences(np.array([np.log(2), -np.log(0.9)])), [0, np.log(9)], atol=1e-9)
    assert np.isfinite(confidences(np.array([0.0, 100.0]))).all()


def test_examples_that_were_learned_by_heart_are_found():
    random = np.random.default_rng(0)
    words = VOCABULARY[5:]
    texts = [" ".join(random.choice(words, 6)) for _ in range(96)]
    labels = [["neg", "pos"][number] for number in random.integers(2, size=96)]
    keras.utils.set_random_seed(0)
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **SIZES)
    places = [f"line {i}" for i in range(96)]
    examples = Examples("rows.tsv", (texts,), labels, places, BadRows("rows.tsv", False))
    members, others = examples.take(range(48)), examples.take(range(48, 96))
    fresh = measure_leakage(model, members, others)
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(texts[:48], labels[:48], batch_size=48, epochs=60, seed=0, verbose=0)
    found = measure_leakage(model, members, others)
    assert (found.members, found.others) == (48, 48)
    assert found.member_loss < 0.5 * found.other_loss
    for before, after in zip(fresh.attacks, found.attacks, strict=True):
        assert before.interval[0] < 0.6
        assert after.auc > 0.7
        assert after.interval[0] <= after.auc <= after.interval[1]
        assert after.curve[-1] == (1.0, 1.0)
    with pytest.raises(InputError, match="Received 3 examples held out. Give at least 20"):
        measure_leakage(model, members, others.take(range(3)))
