"""Steps of DP-SGD: plain ones without noise and clipping, the clipped norm, noise, sample and accounting."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.data.pipeline.batch_samplers import BatchPlan
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.privacy.accounting import epsilon_of, noise_multiplier_for
from bert_tf.training.privacy.poisson_batches import PoissonSampler, poisson_batches
from bert_tf.training.privacy.private_gradients import PrivateGradients
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY


def make_model(rule=None, dropout=0.0, **compile):
    keras.utils.set_random_seed(0)
    sizes = SIZES | {"hidden_dropout": dropout, "attention_dropout": dropout}
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, **sizes)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), **compile)
    if rule:
        model.gradient_rule = PrivateGradients(model, 8, *rule, seed=3)
    return model


def test_without_noise_and_clipping_it_is_plain_training(eagerly):
    how = {"dropout": 0.2, "accumulation_steps": 2}
    plain, private = make_model(**how), make_model((None, 0.0), **how)
    texts = ["a good film", "the bad film", "is not good", "a bad film"] * 6  # of one length: padding changes masks
    for batch in plain.dataset(texts, LABELS[:24], 8, shuffle=True, seed=5):
        losses = [float(model.train_on_batch(*batch)[0]) for model in (plain, private)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    start = make_model()
    for mine, other in zip(private.trainable_weights, plain.trainable_weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5, err_msg=mine.path)
    assert any(np.abs(mine - first).max() > 1e-3 for mine, first in zip(private.weights, start.weights, strict=True))


def test_gradients_are_clipped_and_noise_follows_from_seed_and_step(eagerly):
    model = make_model((0.01, 2.0))
    rule = model.gradient_rule
    x, y = next(iter(model.dataset(TEXTS[:1], LABELS[:1], 1)))
    alone = rule.gradients(model, x, y, None, None)
    assert float(tf.linalg.global_norm(list(alone.values()))) == pytest.approx(0.01 / 8, rel=1e-4)
    unused = rule.gradients(model, x, y, tf.zeros(1), None)  # a row that fills a batch up
    assert float(tf.linalg.global_norm(list(unused.values()))) == 0
    size = 200_000
    zeros = {0: tf.zeros(size), 1: tf.zeros(size)}
    noise = rule.finish(model, zeros)
    assert np.std(noise[0]) == pytest.approx(2.0 * 0.01 / 8, rel=0.02)
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.02
    np.testing.assert_array_equal(rule.finish(model, zeros)[0], noise[0])
    model.optimizer.iterations.assign_add(1)
    assert abs(np.corrcoef(noise[0], rule.finish(model, zeros)[0])[0, 1]) < 0.02
    assert PrivateGradients(model, 8, 0.01, 2.0, seed=4).finish(model, zeros)[0][0] != rule.finish(model, zeros)[0][0]


def test_an_example_without_a_finite_gradient_counts_nothing():
    rule = PrivateGradients(make_model(), 8, 1.0, 1.0, seed=0)
    np.testing.assert_allclose(rule._factors(tf.constant([0.5, 4.0, np.inf, np.nan])), [1.0, 0.25, 0.0, 0.0])


def test_the_share_of_clipped_examples_is_a_metric(eagerly):
    model, plain = make_model((1.0, 0.0)), make_model()
    data = next(iter(model.dataset(TEXTS[:4], LABELS[:4], 4)))
    norms = []
    for row in range(4):
        one = [tf.nest.map_structure(lambda values, row=row: values[row : row + 1], part) for part in data]
        with tf.GradientTape() as tape:
            loss = plain.compute_loss(one[0], one[1], plain(one[0], training=False))
        norms.append(float(tf.linalg.global_norm(tape.gradient(loss, plain.trainable_weights))))
    model.gradient_rule = PrivateGradients(model, 4, float(np.median(norms)), 0.0, seed=0)
    weights = tf.constant([1.0, 1.0, 1.0, 0.0])  # the last row fills the batch up
    logs = model.train_on_batch(*data, weights, return_dict=True)
    assert logs["clipped"] == pytest.approx(np.mean(np.array(norms[:3]) > np.median(norms)))
    model.reset_metrics()
    assert model.gradient_rule.metrics[0].result() == 0
    assert "clipped" not in [metric.name for metric in plain.metrics]


def test_a_batch_is_a_poisson_sample():
    sampler = PoissonSampler(BatchPlan(10, seed=1), 40)
    counts = np.zeros(40)
    sizes = []
    for number in range(2000):
        chosen = sampler.batch(number).examples
        counts[chosen] += 1
        sizes.append(len(chosen))
    np.testing.assert_allclose(counts / 2000, 0.25, atol=0.05)
    assert np.mean(sizes) == pytest.approx(10, abs=0.3)
    assert np.var(sizes) == pytest.approx(40 * 0.25 * 0.75, rel=0.15)  # of a binomial distribution
    np.testing.assert_array_equal(
        sampler.batch(7).examples, PoissonSampler(BatchPlan(10, seed=1), 40).batch(7).examples
    )


def test_batches_are_filled_up_with_rows_of_weight_0():
    model = make_model()
    examples = model.preprocessor.prepare(TEXTS, LABELS)
    sampler = PoissonSampler(BatchPlan(2, seed=5), len(TEXTS))
    data = poisson_batches(examples, 2, seed=5, start=3, multiple=4)
    for number, (x, y, weights) in zip(range(3, 9), data, strict=False):
        real = len(sampler.batch(number).examples)
        assert int(tf.reduce_sum(weights)) == real
        assert len(y) == len(weights) == len(x["input_ids"]) == 4 * max(1, math.ceil(real / 4))
        lengths = np.sum(x["input_mask"], 1)
        assert lengths.tolist() == sorted(lengths, reverse=True)


def test_epsilon_is_that_of_the_gaussian_mechanism():
    # Balle and Wang 2018, theorem 8: delta = Phi(1 / (2 s) - e s) - exp(e) Phi(-1 / (2 s) - e s).
    def delta(epsilon, deviation):
        half, shift = 1 / (2 * deviation), epsilon * deviation
        phi = [0.5 * math.erfc(-x / math.sqrt(2)) for x in (half - shift, -half - shift)]
        return phi[0] - math.exp(epsilon) * phi[1]

    assert epsilon_of(2.0, 1.0, 1, delta(1.5, 2.0)) == pytest.approx(1.5, rel=1e-2)
    assert noise_multiplier_for(1.5, 1.0, 1, delta(1.5, 2.0)) == pytest.approx(2.0, rel=1e-2)
    assert epsilon_of(2.0, 1.0, 4, delta(1.5, 1.0)) == pytest.approx(
        1.5, rel=1e-2
    )  # four steps are one of half the noise
    assert epsilon_of(2.0, 0.1, 4, 1e-5) < epsilon_of(2.0, 1.0, 4, 1e-5) / 3
    assert epsilon_of(0.0, 0.1, 4, 1e-5) == math.inf
    with pytest.raises(ConfigError, match="epsilon=1e-06.*No sensible noise gives that"):
        noise_multiplier_for(1e-6, 1.0, 1000, 1e-9)
