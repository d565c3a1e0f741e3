"""Compiles a model by the settings of its training."""

import statistics
import time
from typing import Any

import keras

from bert_tf.training.config import TrainingConfig
from bert_tf.training.optimizers.layerwise import stages_of
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from bert_tf.training.optimizers.schedules import make_schedule


def compile_model(model: keras.Model, training: TrainingConfig, **more: Any) -> None:
    """`model.compile` with the optimizer, schedule and accumulation of a resolved `TrainingConfig`."""
    schedule = make_schedule(
        training.schedule,
        training.learning_rate,
        training.steps,
        round(training.warmup * training.steps),
        round(training.cooldown * training.steps),
    )
    optimizer = make_optimizer(
        training.optimizer,
        schedule,
        weight_decay=training.weight_decay,
        clip_norm=training.clip_norm,
        layer_decay=training.layer_decay,
        stages=stages_of(model),
        **({} if training.bias_correction else {"bias_correction": False}),
    )
    model.encoder.remat = training.remat
    model.compile(optimizer, accumulation_steps=training.accumulation_steps, **more)


class StepTimer(keras.callbacks.Callback):
    """Measures the seconds of a step in a short `fit`: the median without the first steps."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        float(logs["loss"])  # waits for the device
        self.ends.append(time.monotonic())

    @property
    def seconds(self) -> float:
        return statistics.median(end - begin for begin, end in zip(self.ends[2:], self.ends[3:], strict=False))
