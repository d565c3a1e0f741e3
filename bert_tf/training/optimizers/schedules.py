"""Learning rate schedules: linear warm-up from 0, then decay in one of three shapes."""

import math
from typing import Any

import keras
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.training.config import SCHEDULES


def make_schedule(
    name: str, peak: float, steps: int, warmup_steps: int, cooldown_steps: int = 0, end: float = 0.0
) -> "Schedule":
    """Makes a `Schedule`.

    Args:
        name: one of `SCHEDULES`.
        peak: the greatest rate.
        steps: of the whole run.
        warmup_steps: the first steps, in which the rate rises.
        cooldown_steps: the last steps, in which a constant rate falls.
        end: the rate after the last step.

    Raises:
        ConfigError: an unknown name, or steps that do not fit together.
    """
    if name not in SCHEDULES:
        raise ConfigError(f"Received: schedule={name!r}. schedule is one of {', '.join(SCHEDULES)}.")
    if steps < 1 or min(warmup_steps, cooldown_steps) < 0 or warmup_steps + cooldown_steps > steps:
        raise ConfigError(
            f"Received: steps={steps}, warmup_steps={warmup_steps}, cooldown_steps={cooldown_steps}. "
            "steps must be at least 1, and at least warmup_steps + cooldown_steps."
        )
    if cooldown_steps and name != "constant":
        raise ConfigError(
            f"Received: schedule={name!r}, cooldown_steps={cooldown_steps}. Only a constant rate has a cool-down. "
            "Set cooldown=0 or schedule=constant."
        )
    return Schedule(name, float(peak), steps, warmup_steps, cooldown_steps, float(end))


@keras.saving.register_keras_serializable("bert_tf")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a step, a float32 scalar; steps count from 0 and the rate of step `steps` would be `end`.

    Step s of the warm-up has the rate peak * (s + 1) / warmup_steps. Then "linear" decays linearly (Devlin et al. 2019,
    A.2), "cosine" along half a wave (Loshchilov and Hutter 2017), and "constant" keeps the peak until its last
    `cooldown_steps`, in which it decays linearly (Zhai et al. 2022, section 3.5).
    """

    def __init__(
        self, name: str, peak: float, steps: int, warmup_steps: int, cooldown_steps: int = 0, end: float = 0.0
    ):
        self.name, self.peak, self.end = name, peak, end
        self.steps, self.warmup_steps, self.cooldown_steps = steps, warmup_steps, cooldown_steps

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        up = self.peak * (step + 1) / max(self.warmup_steps, 1)
        down = self.end + (self.peak - self.end) * self._height(self.steps - step)
        return ops.where(step < self.warmup_steps, up, down)

    def _height(self, left: Any) -> Any:
        """Height of the decay, from 1 to 0, with `left` steps left (float32 scalar)."""
        if self.name == "constant" and not self.cooldown_steps:
            return ops.ones_like(left)
        falling = self.cooldown_steps or self.steps - self.warmup_steps
        height = ops.clip(left / max(falling, 1), 0.0, 1.0)
        if self.name == "cosine":
            return (1 - ops.cos(math.pi * height)) / 2
        return height

    def get_config(self) -> dict:
        names = ("name", "peak", "steps", "warmup_steps", "cooldown_steps", "end")
        return {name: getattr(self, name) for name in names}
