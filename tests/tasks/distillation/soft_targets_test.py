"""Losses against softened outputs, worked by hand; the softmax over the positions of ragged rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks.distillation.soft_targets import SoftClasses, SoftLabels, soft_loss, soften

TEACHER = np.array([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], "float32")
STUDENT = np.array([[1.0, 1.0, 0.0], [-2.0, 0.0, 2.0]], "float32")
CLASSES = GlobalMean(keras.losses.SparseCategoricalCrossentropy(from_logits=True))
LABELS = GlobalMean(keras.losses.BinaryCrossentropy(from_logits=True))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_classes_are_compared_by_their_divergence(temperature):
    loss = soft_loss(CLASSES, temperature)
    p, q = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    expected = temperature**2 * (p * np.log(p / q)).sum(-1)
    np.testing.assert_allclose(loss.call(soften(TEACHER, loss), STUDENT), expected, rtol=1e-5)
    same = loss.call(soften(STUDENT, loss), STUDENT)
    np.testing.assert_allclose(same, [0, 0], atol=1e-5)


def test_labels_are_compared_one_by_one():
    loss = soft_loss(LABELS, 2.0)
    p, q = 1 / (1 + np.exp(-TEACHER / 2)), 1 / (1 + np.exp(-STUDENT / 2))
    expected = 4 * (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(-1)
    np.testing.assert_allclose(loss.call(soften(TEACHER, loss), STUDENT), expected, rtol=1e-5)


def test_scores_are_compared_as_they_are():
    loss = soft_loss(GlobalMean(keras.losses.MeanSquaredError()), 5.0)
    np.testing.assert_array_equal(soften(TEACHER, loss), TEACHER)
    np.testing.assert_allclose(loss.call(TEACHER, STUDENT), ((TEACHER - STUDENT) ** 2).mean(-1), rtol=1e-6)


def test_positions_of_a_row_are_its_classes():
    loss = soft_loss(CLASSES, 2.0)
    rows = tf.RaggedTensor.from_row_lengths(np.array([1.0, -1e9, 3.0, 2.0, 2.0], "float32"), [3, 2])
    softened = soften(rows, loss).to_list()
    np.testing.assert_allclose(softened[0], softmax(np.array([0.5, -np.inf, 1.5])), rtol=1e-5)
    assert softened[1] == [0.5, 0.5]


def test_impossible_places_and_certain_teachers_give_finite_losses():
    student = np.array([[1.0, -1e9, 0.0]], "float32")
    found = SoftClasses(2.0).call(np.array([[1.0, 0.0, 0.0]], "float32"), student)
    np.testing.assert_allclose(found, [4 * np.log(1 + np.exp(-0.5))], rtol=1e-5)
    assert np.isfinite(SoftLabels(1.0).call(np.array([[1.0, 0.0]], "float32"), STUDENT[:1, :2])).all()


def test_the_gradient_does_not_shrink_with_the_temperature():
    def gradient(temperature):
        loss = soft_loss(CLASSES, temperature)
        x = tf.constant(0.01 * STUDENT)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(loss.call(soften(0.01 * TEACHER, loss), x))
        return tape.gradient(value, x)

    np.testing.assert_allclose(gradient(8.0), gradient(1.0), rtol=0.05, atol=1e-5)


def test_other_losses_are_refused():
    with pytest.raises(ConfigError, match="learns by CosineSimilarity, which cannot be distilled"):
        soft_loss(GlobalMean(keras.losses.CosineSimilarity()), 2.0)
