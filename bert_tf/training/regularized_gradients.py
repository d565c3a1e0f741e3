"""Gradients that make a model smooth: by adversarial token vectors (FGM), and by two passes with dropout (R-Drop)."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layer_changes import calls_replaced
from bert_tf.modeling.ops.cross_entropy import SparseCrossEntropy
from bert_tf.modeling.train_step import GlobalMean, GradientRule, by_index

# R rows, S tokens, E embedding, C classes

_TINY = 1e-12  # least norm of a gradient that is divided by


class RegularizedGradients(GradientRule):
    """The gradients of the loss with one or two further terms.

    With `r_drop_alpha` A the batch goes through the model twice, each time with other dropout, and the loss is the mean
    of both plus A times half the symmetric divergence of the outputs (Liang et al. 2021, equation 3); scores diverge by
    their squared difference.

    With `fgm_epsilon` the gradients of the loss at perturbed token vectors are added (Miyato et al. 2017, equation 5):
    each row's vectors, [S, E], are moved by this length in the direction in which the loss rises fastest. The vectors
    are those of the token table, which is not normalised: a useful length is a fraction of their own.

    Raises:
        ConfigError: R-Drop with outputs whose divergence is not defined.
    """

    def __init__(self, model: keras.Model, fgm_epsilon: float | None = None, r_drop_alpha: float | None = None):
        self.fgm_epsilon, self.r_drop_alpha = fgm_epsilon, r_drop_alpha
        if r_drop_alpha:
            for loss in keras.tree.flatten(model.loss):
                _kind_of(loss)

    def gradients(self, model: Any, x: Any, y: Any, sample_weight: Any, shares: Any) -> dict[int, Any]:
        """As the base class."""
        vectors: list[tf.Tensor] = []  # [R, S, E], for each time that token ids are looked up
        with tf.GradientTape() as tape:
            with self._seeing_vectors(model, lambda found: _record(found, vectors, tape)):
                loss, y_pred = self._loss(model, x, y, shares)
            scaled = model.optimizer.scale_loss(loss)
        model.track_part(loss, x, y, y_pred, sample_weight)
        weights = model.trainable_weights
        found, by_vector = tape.gradient(scaled, [weights, vectors])
        gradients = by_index(found)
        if not self.fgm_epsilon:
            return gradients
        steps = iter([self._step(gradient) for gradient in by_vector])
        with (
            tf.GradientTape() as tape,
            self._seeing_vectors(model, lambda found: found + tf.cast(next(steps), found.dtype)),
        ):
            loss, _ = self._loss(model, x, y, shares)
            scaled = model.optimizer.scale_loss(loss)
        for i, gradient in by_index(tape.gradient(scaled, weights)).items():
            gradients[i] += gradient
        return gradients

    def _loss(self, model: Any, x: Any, y: Any, shares: Any) -> tuple[Any, Any]:
        """The loss, a float32 scalar, and the outputs of the (first) pass."""
        first = model(x, training=True)
        loss = model.loss_of_shares(x, y, first, shares)
        if not self.r_drop_alpha:
            return loss, first
        second = model(x, training=True)
        loss = (loss + model.loss_of_shares(x, y, second, shares)) / 2
        pairs = zip(*map(keras.tree.flatten, (model.loss, first, second, shares)), strict=True)
        for kind, one, other, share in pairs:
            divergences = symmetric_divergence(kind, one, other)
            loss += self.r_drop_alpha * tf.reduce_sum(tf.reshape(share, tf.shape(divergences)) * divergences)
        return loss, first

    def _seeing_vectors(self, model: Any, see: Callable) -> contextlib.AbstractContextManager:
        """A context in which the vectors of token ids go through `see`."""
        if not self.fgm_epsilon:
            return contextlib.nullcontext()
        layer = model.encoder.token_embedding
        call = layer.call
        return calls_replaced({layer: lambda ids: see(call(ids))})

    def _step(self, gradient: tf.Tensor) -> tf.Tensor:
        """The perturbation of token vectors by the gradient of the loss, [R, S, E]: of length epsilon in each row."""
        gradient = tf.cast(gradient, tf.float32)
        axes = list(range(1, gradient.shape.rank))
        length = tf.sqrt(tf.reduce_sum(tf.square(gradient), axes, keepdims=True))  # [R, 1, 1]
        return tf.stop_gradient(gradient * (self.fgm_epsilon / tf.maximum(length, _TINY)))


def _record(found: tf.Tensor, vectors: list, tape: tf.GradientTape) -> tf.Tensor:
    tape.watch(found)  # also where the table is frozen
    vectors.append(found)
    return found


def symmetric_divergence(loss: GlobalMean, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Half the sum of both Kullback-Leibler divergences of two outputs, logits [..., C]: float32 [...].

    Distributions are those that `loss` reads from logits: over the last axis, or one for each label, of which it is the
    mean. Of scores [..., 1] it is the squared difference, [...].

    Raises:
        ConfigError: the loss is of another kind.
    """
    return _kind_of(loss)(first, second)


def _of_classes(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    one, other = tf.nn.log_softmax(first), tf.nn.log_softmax(second)
    return tf.reduce_sum((tf.exp(one) - tf.exp(other)) * (one - other), -1) / 2


def _of_labels(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    # The logarithms of p and 1 - p differ by the logit.
    return tf.reduce_mean((tf.sigmoid(first) - tf.sigmoid(second)) * (first - second), -1) / 2


def _of_scores(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.square(first - second), -1)


_DIVERGENCES = {
    keras.losses.SparseCategoricalCrossentropy: _of_classes,
    SparseCrossEntropy: _of_classes,
    keras.losses.BinaryCrossentropy: _of_labels,
    keras.losses.MeanSquaredError: _of_scores,
}


def _kind_of(loss: Any) -> Callable:
    inner = getattr(loss, "loss", loss)
    if type(inner) not in _DIVERGENCES:
        raise ConfigError(
            f"Received: training.r_drop_alpha with a model that learns by {type(inner).__name__}. R-Drop compares "
            "distributions over classes or labels, or scores."
        )
    return _DIVERGENCES[type(inner)]
