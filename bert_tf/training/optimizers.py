"""AdamW and its schedule as BERT uses them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("bert_tf")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """From 0 up to `peak` over `warmup_steps`, then straight down to 0 at `steps` (Devlin et al. 2019, A.2)."""

    def __init__(self, peak, warmup_steps, steps):
        self.peak, self.warmup_steps, self.steps = peak, warmup_steps, steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        up = (step + 1) / max(self.warmup_steps, 1)
        down = (self.steps - step) / max(self.steps - self.warmup_steps, 1)
        return self.peak * ops.clip(ops.minimum(up, down), 0.0, 1.0)

    def get_config(self):
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "steps": self.steps}


def adamw(learning_rate, weight_decay=0.01, clip_norm=1.0):
    """AdamW with gradients clipped by their global norm and no decay on biases and layer norms.

    `learning_rate` is a number or a schedule (google-research/bert, optimization.py; Keras's class corrects the
    bias of the first moments, Google's does not).
    """
    optimizer = keras.optimizers.AdamW(
        learning_rate, weight_decay=weight_decay, epsilon=1e-6, global_clipnorm=clip_norm
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
