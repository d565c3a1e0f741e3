"""DP-SGD (Abadi et al. 2016, algorithm 1): clipped gradients of examples, summed, with Gaussian noise."""

from typing import Any

import keras
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GlobalMean, GradientRule
from bert_tf.tasks.base.example_losses import example_losses, weights_of
from bert_tf.tasks.base.microbatch import row_lengths
from bert_tf.tasks.embedding.losses import MultipleNegativesRankingLoss
from bert_tf.training.privacy.ghost_norms import GhostNorms, check_uses

# B examples

_TINY = 1e-12


class PrivateGradients(GradientRule):
    """The noisy mean of the examples' clipped gradients.

    A step's gradient is (sum of the clipped gradients + noise) / `batch_size`; the noise of each weight is normal with
    the standard deviation `noise_multiplier` * `clip_norm`, and follows from `seed` and the step alone. The metric
    "clipped" is the share of the examples whose gradient is longer than `clip_norm`.

    Args:
        model: a compiled task model; the rows of an example must be next to each other.
        batch_size: expected examples of a step. Batches are a Poisson sample, padded with examples of weight 0.
        clip_norm: the largest norm of an example's gradient; None: not clipped.
        noise_multiplier: standard deviation of the noise, in units of `clip_norm`.
        seed: of the noise.

    Raises:
        ConfigError: examples depend on each other through the loss, or a layer is of an unknown kind.
    """

    static_rows = False

    def __init__(
        self, model: keras.Model, batch_size: int, clip_norm: float | None, noise_multiplier: float, seed: int
    ):
        self.batch_size, self.clip_norm = batch_size, clip_norm
        self.noise_multiplier, self.seed = noise_multiplier, seed
        self.metrics = [keras.metrics.Mean("clipped")] if clip_norm else []
        for loss in keras.tree.flatten(model.loss):
            if not isinstance(loss, GlobalMean) or isinstance(loss.loss, MultipleNegativesRankingLoss):
                raise ConfigError(
                    f"Received: privacy with the loss {getattr(loss, 'loss', loss).name}. It compares examples of a "
                    "batch with each other, so that none has a gradient of its own."
                )
        GhostNorms(model)  # refuses models with other layers

    def check(self, model: keras.Model, x: Any, y: Any, sample_weight: Any = None) -> None:
        """Raises `ConfigError` if the gradients of some examples, found by layers, are not those of the model."""
        weights = weights_of(model, y, sample_weight)
        check_uses(model, lambda outputs: example_losses(model.loss, y, outputs, weights), x)

    def gradients(self, model: Any, x: Any, y: Any, sample_weight: Any, shares: Any) -> dict[int, Any]:
        """As the base class."""
        del shares  # of a batch of fixed size
        weights = weights_of(model, y, sample_weight)
        if all(len(weight.shape) == 1 for weight in keras.tree.flatten(weights)):  # no targets of tokens
            x = without_padding(x)
        ghosts = GhostNorms(model)
        with tf.GradientTape() as tape:
            with ghosts.recording():
                y_pred = model(x, training=True)
            losses = example_losses(model.loss, y, y_pred, weights)  # [B]
        scale = model.accumulation_steps / self.batch_size
        sums = ghosts.gradients(tape, losses, self._factors)
        model.track_part(tf.reduce_sum(losses) * scale, x, y, y_pred, sample_weight)
        return {number: total * scale for number, total in sums.items()}

    def finish(self, model: Any, gradients: dict[int, Any]) -> dict[int, Any]:
        """As the base class: adds the noise."""
        if not self.noise_multiplier:
            return gradients
        deviation = self.noise_multiplier * self.clip_norm / self.batch_size
        fold = tf.random.experimental.stateless_fold_in
        of_step = fold(tf.constant([self.seed, 0], tf.int64), tf.cast(model.optimizer.iterations, tf.int64))
        noisy = {}
        for number, gradient in gradients.items():
            seed = fold(of_step, tf.constant(number, tf.int64))
            noise = tf.random.stateless_normal(tf.shape(gradient), seed, stddev=deviation, alg="philox")
            noisy[number] = gradient + noise
        return noisy

    def _factors(self, norms: tf.Tensor) -> tf.Tensor:
        """The factors of examples by the norms of their gradients, [B]: 0 where these are not finite."""
        if not self.clip_norm:
            return tf.ones_like(norms)
        self.metrics[0].update_state(norms > self.clip_norm, norms > 0)  # not of examples that fill the batch up
        factors = tf.minimum(1.0, self.clip_norm / tf.maximum(norms, _TINY))
        return tf.where(tf.math.is_finite(norms), factors, 0.0)


def without_padding(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The inputs of a task, cut after the last position, of S, that is a token in any row."""
    longest = tf.reduce_max(row_lengths(inputs))
    tokens = {name: inputs[name][..., : tf.maximum(longest, 1)] for name in features.ENCODER_INPUTS if name in inputs}
    return inputs | tokens
