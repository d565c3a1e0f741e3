"""AdamW and LAMB as BERT is trained with them."""

import keras
import numpy as np
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.training.optimizers import update_ops
from bert_tf.training.optimizers.layerwise import depths, scales_by_depth

NOT_DECAYED = ("bias", "gamma", "beta")


def make_optimizer(
    name,
    learning_rate,
    *,
    weight_decay=0.01,
    clip_norm=1.0,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-6,
    bias_correction=True,
    layer_decay=None,
):
    """The optimizer called "adamw" or "lamb".

    Args:
        learning_rate: a number or a schedule.
        weight_decay: what a step takes off weights, in learning rates; biases and layer norms keep theirs.
        clip_norm: the greatest norm of all gradients together; None: any.
        bias_correction: False: moments as google-research/bert, optimization.py, has them.
        layer_decay: factor of the learning rate from a layer to the one below (see `layerwise.py`); None: 1.
    """
    if name not in OPTIMIZERS:
        raise ConfigError(f"Received: optimizer={name!r}. Optimizers: {', '.join(OPTIMIZERS)}.")
    if layer_decay is not None and not 0 < layer_decay <= 1:
        raise ConfigError(f"Received: layer_decay={layer_decay}. layer_decay must be in (0, 1].")
    return OPTIMIZERS[name](
        learning_rate if callable(learning_rate) else float(learning_rate),
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        bias_correction=bias_correction,
        layer_decay=layer_decay,
        name=name,
    )


class LayerwiseOptimizer(keras.optimizers.Optimizer):
    """What AdamW and LAMB share: clipping, moments, no decay on biases and norms, a rate for each layer.

    Keras's own classes clip each replica's gradients before they are summed, so that two replicas learn something
    else than one with their whole batch, and its LAMB leaves the decay out of the trust ratio. `gradient_norm` is
    that of the last step before clipping, of what was free to move. Subclasses say in `update` what a step does to one
    variable.
    """

    def __init__(
        self,
        learning_rate,
        weight_decay=0.01,
        global_clipnorm=1.0,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        bias_correction=True,
        layer_decay=None,
        name=None,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, global_clipnorm=global_clipnorm, name=name)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction
        self.layer_decay = layer_decay

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self.depths, self.head = depths(variables)
        # A variable, for layers are set free while training goes on, and a checkpoint must know which.
        self.layer_rates = self.add_variable(
            (self.head + 1,), lambda shape, dtype: ops.cast(self._scales(), dtype), "float32", name="layer_rates"
        )
        self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")

    def free_layers(self, blocks):
        """From now on trains the top `blocks` blocks and what is above them; one more than all: the embeddings too."""
        self.layer_rates.assign(self._scales() * (np.arange(self.head + 1) >= self.head - blocks))

    def _scales(self):
        return scales_by_depth(self.head, self.layer_decay or 1.0)

    def apply(self, grads, trainable_variables=None):
        """One step; variables whose gradient is None stay as they are."""
        if trainable_variables is not None:
            self.build(list(trainable_variables))
            self._check_variables_are_known(trainable_variables)
        pairs = zip(grads, trainable_variables or self._trainable_variables, strict=True)
        grads, variables = zip(*[(grad, variable) for grad, variable in pairs if grad is not None], strict=True)
        indices = [self._get_variable_index(variable) for variable in variables]
        layer_rates = ops.unstack(ops.convert_to_tensor(self.layer_rates), self.head + 1)
        rates = [layer_rates[self.depths[index]] for index in indices]
        grads = self._clipped(update_ops.sum_over_replicas(grads), [ops.cast(rate > 0, "float32") for rate in rates])
        learning_rate = ops.cast(self.learning_rate, "float32")
        step = ops.cast(self.iterations + 1, "float32")
        powers = [beta**step if self.bias_correction else 0.0 for beta in (self.beta_1, self.beta_2)]
        for index, variable, gradient, rate in zip(indices, variables, grads, rates, strict=True):
            moments = self.momentums[index], self.velocities[index]
            decay = 0.0 if variable.name in NOT_DECAYED else self.weight_decay
            self.update(variable, *moments, gradient, learning_rate * rate, powers, decay)
        self.iterations.assign_add(1)

    def _clipped(self, gradients, free):
        """Gradients, 0 where not `free`, divided so that the norm of all together is `global_clipnorm` at most."""
        squares = [is_free * update_ops.sum_of_squares(g) for g, is_free in zip(gradients, free, strict=True)]
        norm = ops.sqrt(ops.sum(ops.stack(squares)))
        update_ops.assign(self.gradient_norm, norm)
        if self.global_clipnorm:
            scale = self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)
            free = [is_free * scale for is_free in free]
        return [update_ops.scaled(gradient, factor) for gradient, factor in zip(gradients, free, strict=True)]

    def get_config(self):
        config = super().get_config()
        own = ("beta_1", "beta_2", "epsilon", "bias_correction", "layer_decay")
        config = {name: config[name] for name in ("name", "learning_rate", "weight_decay", "global_clipnorm")}
        return config | {name: getattr(self, name) for name in own}


@keras.saving.register_keras_serializable("bert_tf")
class AdamW(LayerwiseOptimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019; google-research/bert, optimization.py)."""

    def update(self, variable, momentum, velocity, gradient, rate, powers, decay):
        if decay:
            update_ops.assign(variable, variable * (1 - rate * decay))
        betas = (self.beta_1, self.beta_2)
        update_ops.adam(variable, momentum, velocity, gradient, rate, powers, betas, self.epsilon)


@keras.saving.register_keras_serializable("bert_tf")
class Lamb(LayerwiseOptimizer):
    """Steps as long as the weights they change (You et al. 2020, algorithm 2), but for biases and layer norms.

    The decay is part of the step whose length is measured.
    """

    def update(self, variable, momentum, velocity, gradient, rate, powers, decay):
        # At rate 0 Adam's kernel moves the moments alone.
        update_ops.adam(variable, momentum, velocity, gradient, 0.0, powers, (self.beta_1, self.beta_2), self.epsilon)
        step = momentum / (1 - powers[0]) / (ops.sqrt(velocity / (1 - powers[1])) + self.epsilon)
        if variable.name not in NOT_DECAYED:
            step = step + decay * variable
            squares = update_ops.sum_of_squares(variable), update_ops.sum_of_squares(step)
            ratio = ops.sqrt(squares[0] / squares[1])
            rate = rate * ops.where(ops.minimum(*squares) > 0, ratio, 1.0)
        update_ops.subtract(variable, rate * step)


OPTIMIZERS = {"adamw": AdamW, "lamb": Lamb}
