"""Scores of groups, and of clusters of texts in which a model is worse."""

import numpy as np
import pytest

from bert_tf.core.errors import InputError
from bert_tf.evaluation.slices import score_groups, single_texts, worst_clusters


def test_groups():
    correct = np.array([1, 1, 1, 0] * 10)
    groups = ["b", "b", "a", "a"] * 10
    found = score_groups(lambda rows: correct[rows].mean(), groups)
    assert [(part.name, part.rows, part.score) for part in found] == [("a", 20, 0.5), ("b", 20, 1.0)]
    low, high = found[0].interval
    assert 0.2 < low < 0.5 < high < 0.8
    with pytest.raises(InputError, match="All examples have the group 'b'"):
        score_groups(lambda rows: 1.0, ["b", "b"])


def test_texts_that_a_model_fails_on_are_found():
    random = np.random.default_rng(0)
    about = {"ships": "sail harbour captain storm anchor", "tea": "leaf water cup sugar kettle"}
    kinds = random.choice(["ships", "tea"], 200)
    texts = [" ".join(random.permutation(about[kind].split())[:4]) for kind in kinds]
    correct = np.where(kinds == "tea", random.random(200) < 0.3, random.random(200) < 0.95)
    worst = worst_clusters(lambda rows: correct[rows].mean(), texts, count=2)[0]
    assert worst.rows == (kinds == "tea").sum()
    assert set(worst.name.split()) == set(about["tea"].split())
    assert worst.score == pytest.approx(correct[kinds == "tea"].mean())


def test_texts_without_common_words():
    assert worst_clusters(lambda rows: 1.0, ["one", "two", "three"]) == []


def test_texts_of_several_columns_and_lists():
    assert single_texts((["a b", "c"], [["d", "e"], ["f"]])) == ["a b d e", "c f"]
