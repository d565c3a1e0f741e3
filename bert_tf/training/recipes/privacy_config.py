"""Settings of private fine-tuning; checked without importing TensorFlow."""

import dataclasses
from typing import TYPE_CHECKING

from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import Settings, setting

if TYPE_CHECKING:
    from bert_tf.training.recipes.finetune_config import FinetuneConfig


@dataclasses.dataclass(frozen=True)
class PrivacyConfig(Settings):
    """Differential privacy of the training examples, by DP-SGD (Abadi et al. 2016); none by default."""

    epsilon: float | None = setting(
        None, "the privacy to spend, from which the noise follows; none: not private", above=0, most=1000
    )
    delta: float = setting(1e-5, "probability that more is lost; below 1 / number of examples", above=0, below=1)
    clip_norm: float | None = setting(0.1, "largest norm of an example's gradient; none: not clipped", above=0)
    noise_multiplier: float | None = setting(
        None, "instead of epsilon: standard deviation of the noise, in clip_norm; 0: no noise", least=0, most=10_000
    )

    @property
    def is_set(self) -> bool:
        """Whether examples' gradients are clipped and noise is added."""
        return self.epsilon is not None or self.noise_multiplier is not None

    def check(self, config: "FinetuneConfig") -> None:
        """Raises `ConfigError` for settings that do not fit each other, or the others of a run."""
        if not self.is_set:
            if self != PrivacyConfig():
                raise ConfigError("Received: settings of privacy without privacy.epsilon. Set it, such as to 8.")
            return
        if self.epsilon is not None and self.noise_multiplier is not None:
            raise ConfigError("Received: privacy.epsilon and privacy.noise_multiplier. Set either of them.")
        if self.clip_norm is None and self.noise_multiplier != 0:
            raise ConfigError("Received: privacy.clip_norm=none. Only with privacy.noise_multiplier=0 is it possible.")
        training = config.training
        for is_set, name, why in (
            (config.tasks, "tasks", "Privacy is for a single task"),
            (config.teacher.model, "teacher.model", "A teacher's outputs may tell of the same examples"),
            (config.data.noise, "data.noise", "An example would be in several copies"),
            (getattr(config.model, "class_weights", None) == "balanced", "class_weights", "It counts the examples"),
            (training.fgm_epsilon, "training.fgm_epsilon", "It adds gradients that are not clipped"),
            (training.r_drop_alpha, "training.r_drop_alpha", "It adds gradients that are not clipped"),
            (training.remat, "training.remat", "Norms need the inner vectors; set training.accumulation_steps"),
            (training.xla, "training.xla", "Batches have changing sizes"),
            (training.precision == "mixed_float16", "training.precision", "Take float32 or mixed_bfloat16"),
        ):
            if is_set:
                raise ConfigError(f"Received: {name} with privacy. {why}: leave it out.")
