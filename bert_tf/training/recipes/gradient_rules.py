"""The gradients that a fine-tuning run trains with: those of the loss, regularized ones, or private ones."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.train_step import GradientRule
from bert_tf.training.privacy.accounting import epsilon_of, noise_multiplier_for
from bert_tf.training.privacy.private_gradients import PrivateGradients
from bert_tf.training.recipes.finetune_config import FinetuneConfig
from bert_tf.training.regularized_gradients import RegularizedGradients

_CHECKED = 4  # examples whose gradients are compared with TensorFlow's before a private run


@dataclasses.dataclass(frozen=True)
class SpentPrivacy:
    """The guarantee of a private run: that of (epsilon, delta)-differential privacy, by example.

    Attributes:
        epsilon, delta: the guarantee; epsilon is None where there is no noise, which guarantees nothing.
        noise_multiplier, clip_norm: of the gradients.
        sampling_rate: probability of an example to be in a batch.
        steps: of the run.
    """

    epsilon: float | None
    delta: float
    noise_multiplier: float
    clip_norm: float | None
    sampling_rate: float
    steps: int

    def __str__(self) -> str:
        how = (
            f"DP-SGD of {self.steps:,} steps, Poisson samples at the rate {self.sampling_rate:.4g}, gradients of "
            f"examples clipped to {self.clip_norm}, noise multiplier {self.noise_multiplier:.4g}"
        )
        if self.epsilon is None:
            return f"none: {how}"
        return f"epsilon {self.epsilon:.2f} at delta {self.delta:g}, by example, add or remove one ({how})"


def spent_privacy(config: FinetuneConfig, steps: int, examples: int, replicas: int = 1) -> SpentPrivacy | None:
    """The privacy that a run of so many steps spends; None if it is not private.

    Raises:
        ConfigError: delta is too large for so few examples, the batch is larger than these, there are several replicas,
            or no noise is enough for epsilon.
    """
    privacy = config.privacy
    if not privacy.is_set:
        return None
    if replicas > 1:
        raise ConfigError(f"Received: privacy on {replicas} replicas. Set training.strategy=one.")
    if config.batch_size > examples:
        raise ConfigError(f"Received: batch_size={config.batch_size} with privacy for {examples} examples. Lower it.")
    if privacy.delta * examples >= 1:
        raise ConfigError(
            f"Received: privacy.delta={privacy.delta:g} for {examples} examples. It must be below 1 / {examples}, or "
            "publishing an example would be allowed."
        )
    rate, noise = config.batch_size / examples, privacy.noise_multiplier
    if privacy.epsilon is not None:
        noise = noise_multiplier_for(privacy.epsilon, rate, steps, privacy.delta)
    assert noise is not None
    epsilon = epsilon_of(noise, rate, steps, privacy.delta)
    spent = None if math.isinf(epsilon) else epsilon
    return SpentPrivacy(spent, privacy.delta, noise, privacy.clip_norm, rate, steps)


def gradient_rule(
    config: FinetuneConfig, training: Any, model: keras.Model, privacy: SpentPrivacy | None, examples: Any
) -> GradientRule | None:
    """The `gradient_rule` of a run's compiled model; None: the gradients of the loss.

    Args:
        training: resolved.
        privacy: of `spent_privacy`.
        examples: the `PreparedExamples` of the run's task.

    Raises:
        ConfigError: the model has layers or a loss that the rule does not know.
    """
    if privacy:
        rule = PrivateGradients(model, config.batch_size, privacy.clip_norm, privacy.noise_multiplier, training.seed)
        rule.check(model, *examples.batch(np.arange(min(_CHECKED, len(examples)))))
        return rule
    if training.fgm_epsilon or training.r_drop_alpha:
        return RegularizedGradients(model, training.fgm_epsilon, training.r_drop_alpha)
    return None
