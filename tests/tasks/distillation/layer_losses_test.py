"""Hidden states and relations compared by hand; padding counts nothing; layers are spread evenly."""

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError
from bert_tf.tasks.distillation.layer_losses import hidden_loss, relation_heads, relation_loss, spread_layers

MASK = np.array([[1, 1, 1, 0], [1, 1, 0, 0]])


def vectors(width, seed):
    return np.random.default_rng(seed).normal(size=(2, 4, width)).astype("float32")


def with_other_padding(x):
    return np.where(MASK[..., None] == 1, x, 7.0).astype("float32")


def test_hidden_states_are_compared_at_real_tokens():
    a, b = vectors(6, 0), vectors(6, 1)
    squares = ((a - b) ** 2).mean(-1)
    expected = [squares[0, :3].mean(), squares[1, :2].mean()]
    np.testing.assert_allclose(hidden_loss(a, b, MASK), expected, rtol=1e-5)
    np.testing.assert_allclose(hidden_loss(with_other_padding(a), b, MASK), expected, rtol=1e-5)


def relations(x, heads, row, length):
    """The relations of one head after the other, for the real tokens of a row: [heads, length, length]."""
    found = []
    for part in np.split(x[row, :length], heads, -1):
        scores = np.exp(part @ part.T / np.sqrt(part.shape[-1]))
        found.append(scores / scores.sum(-1, keepdims=True))
    return np.array(found)


def test_relations_of_models_of_different_widths():
    student, teacher = [vectors(4, seed) for seed in range(3)], [vectors(12, seed) for seed in range(3, 6)]
    expected = np.zeros(2)
    for ours, theirs in zip(student, teacher, strict=True):
        for row, length in enumerate((3, 2)):
            q, p = relations(ours, 2, row, length), relations(theirs, 2, row, length)
            expected[row] += (p * np.log(p / q)).sum(-1).mean() / 3
    assert (expected > 0.01).all()
    np.testing.assert_allclose(relation_loss(student, teacher, 2, MASK), expected, rtol=1e-4)
    padded = list(map(with_other_padding, student))
    np.testing.assert_allclose(relation_loss(padded, teacher, 2, MASK), expected, rtol=1e-4)
    np.testing.assert_allclose(relation_loss(student, student, 2, MASK), [0, 0], atol=1e-6)


def test_heads_of_relations_divide_both_widths():
    assert relation_heads(384, 768, 12) == 12
    assert relation_heads(128, 312, 2) == 2
    assert relation_heads(96, 128, 3) == 1
    assert relation_heads(384, 768, 12, wanted=48) == 48
    with pytest.raises(ConfigError, match="relation_heads=5. The queries of the student, 384 wide, and of the teacher"):
        relation_heads(384, 768, 12, wanted=5)


def test_layers_are_spread_evenly():
    assert spread_layers(3, 6) == [2, 4, 6]
    assert spread_layers(6, 12) == [2, 4, 6, 8, 10, 12]
    assert spread_layers(4, 6) == [2, 3, 4, 6]
    assert spread_layers(1, 12) == [12]
    assert spread_layers(3, 2) == [1, 1, 2]
