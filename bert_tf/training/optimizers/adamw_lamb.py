"""AdamW and LAMB with fused updates, as BERT is trained with them."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from bert_tf.training.optimizers import update_ops


class _Adam(keras.optimizers.Optimizer):
    """Moments and bias correction that AdamW and LAMB share.

    Args:
        learning_rate: a number or a schedule.
        beta_1, beta_2: decay rates of the first and second moment.
        epsilon: added to the root of the second moment.
        bias_correction: False leaves the moments uncorrected, as google-research/bert, optimization.py, does.
        kwargs: of `keras.optimizers.Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        bias_correction: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.bias_correction = bias_correction

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes two moments of the shape and dtype of each variable."""
        if self.built:
            return
        super().build(variables)
        self.momentums, self.velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def _powers(self) -> list:
        """beta_1 and beta_2 to the power of the step (float32 scalars), zeros without bias correction."""
        if not self.bias_correction:
            return [0.0, 0.0]
        step = ops.cast(self.iterations + 1, "float32")
        return [self.beta_1**step, self.beta_2**step]

    def get_config(self) -> dict:
        own = ("beta_1", "beta_2", "epsilon", "bias_correction")
        return super().get_config() | {name: getattr(self, name) for name in own}


@keras.saving.register_keras_serializable("bert_tf")
class AdamW(_Adam):
    """Adam for decoupled weight decay (Loshchilov and Hutter 2019; google-research/bert, optimization.py).

    The decay comes from a `LayerwiseOptimizer` around it, or alone from Keras by `weight_decay`.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its moments by its gradient, of the variable's shape."""
        index = self._get_variable_index(variable)
        moments = self.momentums[index], self.velocities[index]
        betas = (self.beta_1, self.beta_2)
        update_ops.adam(variable, *moments, gradient, learning_rate, self._powers(), betas, self.epsilon)


@keras.saving.register_keras_serializable("bert_tf")
class Lamb(_Adam):
    """Steps as long as the weights they change (You et al. 2020, algorithm 2), except for biases and layer norms.

    Args:
        weight_decay: part of the step whose length is measured, so it is applied here and not by a wrapper.
        kwargs: as for `AdamW`.
    """

    def __init__(self, learning_rate: Any = 1e-3, weight_decay: float | None = None, **kwargs: Any):
        super().__init__(learning_rate, **kwargs)  # without the decay, or Keras would apply it a second time
        self.step_decay = weight_decay or 0.0

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Makes the moments, and notes which variables get weight decay and a trust ratio."""
        if self.built:
            return
        super().build(variables)
        # By index, because the copies of a variable on several replicas have other names.
        self.adapts = [update_ops.is_decayed(variable) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates one variable and its moments by its gradient, of the variable's shape."""
        index = self._get_variable_index(variable)
        momentum, velocity = self.momentums[index], self.velocities[index]
        powers, betas = self._powers(), (self.beta_1, self.beta_2)
        # At rate 0 the fused op moves the moments alone.
        update_ops.adam(variable, momentum, velocity, gradient, 0.0, powers, betas, self.epsilon)
        step = momentum / (1 - powers[0]) / (ops.sqrt(velocity / (1 - powers[1])) + self.epsilon)
        if self.adapts[index]:
            # The trust ratio |w| / |step|; 1 while either is 0, for example for weights that start at zero.
            step = step + self.step_decay * variable
            squares = update_ops.sum_of_squares(variable), update_ops.sum_of_squares(step)
            ratio = ops.sqrt(squares[0] / squares[1])
            learning_rate = learning_rate * ops.where(ops.minimum(*squares) > 0, ratio, 1.0)
        update_ops.subtract(variable, learning_rate * step)

    def get_config(self) -> dict:
        return super().get_config() | {"weight_decay": self.step_decay}
