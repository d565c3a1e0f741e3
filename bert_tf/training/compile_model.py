"""Compiles a model with the optimizer and schedule of a training config, and times its steps."""

import statistics
import time
from typing import Any

import keras

from bert_tf.training.config import TrainingConfig
from bert_tf.training.optimizers.layerwise import stages_of
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from bert_tf.training.optimizers.schedules import make_schedule


def compile_model(model: keras.Model, training: TrainingConfig, **more: Any) -> None:
    """Compiles a model with the optimizer, schedule and accumulation of a `TrainingConfig`.

    Args:
        model: has an `encoder`.
        training: resolved, with a number of steps.
        more: further arguments of `model.compile`.
    """
    schedule = make_schedule(
        training.schedule,
        training.learning_rate,
        training.steps,
        round(training.warmup * training.steps),
        round(training.cooldown * training.steps),
    )
    # Only AdamW and LAMB have this argument, and the config allows False only with them.
    own = {} if training.bias_correction else {"bias_correction": False}
    optimizer = make_optimizer(
        training.optimizer,
        schedule,
        weight_decay=training.weight_decay,
        clip_norm=training.clip_norm,
        layer_decay=training.layer_decay,
        stages=stages_of(model),
        ema_momentum=training.ema_momentum,
        **own,
    )
    model.encoder.remat = training.remat
    model.compile(optimizer, accumulation_steps=training.accumulation_steps, jit_compile=training.xla, **more)


class StepTimer(keras.callbacks.Callback):
    """Measures the seconds of a step in a short `fit` of at least four steps.

    Attributes:
        ends: clock at the end of each step, in seconds.
    """

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        float(logs["loss"])  # waits for the device
        self.ends.append(time.monotonic())

    @property
    def seconds(self) -> float:
        """The median seconds of a step, without the first three, which include tracing."""
        return statistics.median(end - begin for begin, end in zip(self.ends[2:], self.ends[3:], strict=False))
