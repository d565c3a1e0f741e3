"""FGM and R-Drop: gradients against others that are computed step by step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.modeling.train_step import GlobalMean
from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextEmbedder
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.training.regularized_gradients import RegularizedGradients, symmetric_divergence
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY


def make_model(dropout=0.0, dtype=None, fgm=None, r_drop=None, **compile):
    keras.utils.set_random_seed(0)
    sizes = SIZES | {"hidden_dropout": dropout, "initializer_range": 0.3}
    model = TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=12, dtype=dtype, **sizes)
    model.compile(keras.optimizers.SGD(0.1), **compile)
    model.gradient_rule = RegularizedGradients(model, fgm, r_drop)
    return model


def batch_of(model, rows=8):
    (batch,) = model.dataset(TEXTS[:rows], LABELS[:rows], rows).take(1)
    return tf.nest.map_structure(lambda values: tf.ensure_shape(values, [rows, *values.shape[1:]]), batch)


def test_fgm_adds_gradients_where_each_row_is_moved_uphill(eagerly):
    model = make_model(fgm=0.5)
    x, y = batch_of(model)
    found = model.gradient_rule.gradients(model, x, y, None, tf.fill([8], 1 / 8))
    layer = model.encoder.token_embedding
    vectors = tf.convert_to_tensor(layer(x["input_ids"]))  # [8, S, E]
    call = layer.call

    def gradients(move):
        with tf.GradientTape() as tape:
            tape.watch(move)
            with calls_replaced({layer: lambda ids: call(ids) + move}):
                loss = model.default_loss()(y, model(x, training=True))
        return tape.gradient(loss, [move, *model.trainable_weights])

    uphill, *plain = gradients(tf.zeros_like(vectors))
    lengths = np.sqrt(np.square(uphill).sum((1, 2), keepdims=True))
    assert lengths.max() > 1.5 * lengths.min()  # rows by themselves
    _, *moved = gradients(0.5 * uphill / lengths)
    for i, (first, second) in enumerate(zip(plain, moved, strict=True)):
        expected = tf.convert_to_tensor(first) + tf.convert_to_tensor(second)
        np.testing.assert_allclose(found[i], expected, atol=1e-5, err_msg=model.trainable_weights[i].path)


def test_r_drop_weighs_the_divergence_of_two_passes(eagerly):
    model = make_model(dropout=0.3, r_drop=2.0)
    x, y = batch_of(model)
    states = [variable for variable in model.variables if "seed_generator" in variable.path]
    before = [state.numpy() for state in states]
    loss, _ = model.gradient_rule._loss(model, x, y, tf.fill([8], 1 / 8))
    for state, value in zip(states, before, strict=True):
        state.assign(value)
    passes = [tf.nn.softmax(model(x, training=True)).numpy() for _ in range(2)]
    truth = y.numpy()[:, np.newaxis]
    cross_entropy = -np.mean([np.log(np.take_along_axis(one, truth, 1)) for one in passes])
    p, q = passes
    divergence = np.mean(np.sum(p * np.log(p / q) + q * np.log(q / p), 1)) / 2
    assert divergence > 1e-3
    assert float(loss) == pytest.approx(cross_entropy + 2 * divergence, rel=1e-4)


def test_divergences_of_labels_scores_and_positions():
    first, second = tf.constant([[0.5, -1.0]]), tf.constant([[1.0, 2.0]])
    p, q = 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))
    by_label = [a * np.log(a / b) + b * np.log(b / a) for a, b in ((p, q), (1 - p, 1 - q))]
    labels = GlobalMean(keras.losses.BinaryCrossentropy(from_logits=True))
    np.testing.assert_allclose(symmetric_divergence(labels, first, second), [np.mean(sum(by_label)) / 2], rtol=1e-5)
    scores = GlobalMean(keras.losses.MeanSquaredError())
    np.testing.assert_allclose(symmetric_divergence(scores, first[:, :1], second[:, :1]), [0.25])
    classes, _ = QuestionAnswerer(Tokenizer(VOCABULARY), **SIZES).default_loss().values()
    padded = [tf.concat([logits, [[-1e9]]], 1) for logits in (first, second)]  # a position that cannot be
    np.testing.assert_allclose(
        symmetric_divergence(classes, *padded), symmetric_divergence(classes, first, second), rtol=1e-5
    )


def test_parts_of_a_batch_give_the_same_step(eagerly):
    whole, parts = make_model(fgm=0.5, r_drop=1.0), make_model(fgm=0.5, r_drop=1.0, accumulation_steps=2)
    for model in (whole, parts):
        model.train_on_batch(*batch_of(model))
    for mine, other in zip(parts.weights, whole.weights, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-5, err_msg=mine.path)


def test_a_step_in_16_bits_is_about_that_of_32(eagerly):
    exact, half = make_model(fgm=0.5, r_drop=1.0), make_model(dtype="mixed_float16", fgm=0.5, r_drop=1.0)
    before = [weight.numpy() for weight in exact.trainable_weights]
    for model in (exact, half):
        model.train_on_batch(*batch_of(model))
    for mine, other, start in zip(half.trainable_weights, exact.trainable_weights, before, strict=True):
        np.testing.assert_allclose(mine, other, atol=0.1 * np.abs(other - start).max() + 1e-4, err_msg=mine.path)


def test_r_drop_needs_distributions():
    pairs = TextEmbedder(Tokenizer(VOCABULARY), objective="contrastive", **SIZES)
    pairs.compile()
    with pytest.raises(ConfigError, match="r_drop_alpha with a model that learns by MultipleNegativesRankingLoss"):
        RegularizedGradients(pairs, r_drop_alpha=1.0)
