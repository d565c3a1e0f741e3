"""Compiles a model as the settings of its training say."""

import statistics
import time

import keras

from bert_tf.training.optimizers.layerwise import stages_of
from bert_tf.training.optimizers.make_optimizer import make_optimizer
from bert_tf.training.optimizers.schedules import make_schedule


def compile_model(model, training, **more):
    """`model.compile` with the optimizer, schedule and accumulation of a `TrainingConfig` whose steps are settled."""
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
    """The seconds of a step in the short `fit` that it is given to: the median without the first steps."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])  # waits for the device
        self.ends.append(time.monotonic())

    @property
    def seconds(self):
        return statistics.median(end - begin for begin, end in zip(self.ends[2:], self.ends[3:], strict=False))
