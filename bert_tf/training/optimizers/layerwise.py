"""Layer-wise learning rates, freezing and gradual unfreezing of an encoder's layers; averages of the weights."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.training.optimizers import update_ops

# Settings of a wrapped optimizer that `LayerwiseOptimizer.apply` would bypass.
_OWN_SETTINGS = (
    *("weight_decay", "clipnorm", "clipvalue", "global_clipnorm"),
    *("use_ema", "loss_scale_factor", "gradient_accumulation_steps"),
)


@keras.saving.register_keras_serializable("bert_tf")
class LayerwiseOptimizer(keras.optimizers.Optimizer):
    """Wraps any Keras optimizer: global-norm clipping, layer-wise learning rates, freezing and decoupled decay.

    A step sums the gradients over all replicas, clips them by their global norm, decays the weights (not biases, gammas
    and betas) by learning rate * `weight_decay`, and calls `inner.update_step` for each variable with the learning
    rate of its layer. The learning rate and the step count are those of `inner`.

    Args:
        inner: a `keras.optimizers.Optimizer` without clipping, weight decay, averaging or accumulation of its own.
        weight_decay: share of the weights that a step at learning rate 1 removes; None: no decay.
        clip_norm: the largest global norm of the gradients; None: no clipping.
        layer_decay: factor of the learning rate from a layer to the one below, in (0, 1]; None: 1.
        stages: paths of the encoder's layers from bottom to top (see `stages_of`). Variables outside of them, the
            pooler and the heads, are above the topmost.
        ema_momentum: of a moving average of the weights, in (0, 1): a step takes `ema_momentum` of the average and the
            rest of the new weights, and step t at most 1 - 1 / t of the average, so that it is the mean of all weights
            at first; None: no average.

    Attributes:
        averages: that average of each variable, float32; [] without.
        gradient_norm: float32 scalar variable, the global norm of the last step before clipping.
        layer_rates: float32 variable [stages + 1], the factor of the learning rate of each stage; 0: frozen.

    Raises:
        ConfigError: `inner` has settings of its own that this wrapper would bypass, or a `layer_decay` is impossible.
    """

    def __init__(
        self,
        inner: keras.optimizers.Optimizer,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        layer_decay: float | None = None,
        stages: Sequence[str] = (),
        ema_momentum: float | None = None,
        name: str | None = None,
    ):
        super().__init__(learning_rate=0.0, name=name or inner.name)
        for setting in _OWN_SETTINGS:
            if getattr(inner, setting, None):
                raise ConfigError(
                    f"Received: an inner optimizer with {setting}={getattr(inner, setting)}. Build it without, and "
                    "pass weight_decay and clip_norm to LayerwiseOptimizer."
                )
        if type(inner)._backend_update_step is not keras.optimizers.Optimizer._backend_update_step:
            raise ConfigError(
                f"Received: an inner optimizer of class {type(inner).__name__}. Its steps are more than `update_step`. "
                "Use another one, or compile the model with it alone."
            )
        if layer_decay is not None and not 0 < layer_decay <= 1:
            raise ConfigError(f"Received: layer_decay={layer_decay}. layer_decay must be in (0, 1].")
        if layer_decay is not None and not stages:
            raise ConfigError(f"Received: layer_decay={layer_decay} without stages. Set stages=stages_of(model).")
        self.inner = inner
        self.weight_decay = weight_decay
        self.clip_norm = clip_norm
        self.layer_decay = layer_decay
        self.stages = list(stages)
        self.average_momentum = ema_momentum  # `ema_momentum` is an attribute of Keras
        self.averages: list[keras.Variable] = []

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Builds `inner`, and makes `layer_rates` and `gradient_norm`."""
        if self.built:
            return
        self.inner.build(variables)
        super().build(variables)
        self.depths, self.top = depths(variables, self.stages)
        # A variable, because layers are unfrozen during training and a checkpoint has to record which.
        self.layer_rates = self.add_variable(
            (self.top + 1,), lambda shape, dtype: ops.cast(self._scales(), dtype), "float32", name="layer_rates"
        )
        self.gradient_norm = self.add_variable((), dtype="float32", name="gradient_norm")
        if self.average_momentum:
            self.averages = [self.add_variable(one.shape, dtype="float32", name="average") for one in variables]

    @property
    def variables(self) -> list:
        """The inner optimizer's variables, then `layer_rates`, `gradient_norm` and `averages`."""
        own = [self.layer_rates, self.gradient_norm, *self.averages] if self.built else []
        return [*self.inner.variables, *own]

    @property
    def learning_rate(self) -> Any:
        """The learning rate of `inner` at the current step, a float32 scalar."""
        return self.inner.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The step count of `inner`, an integer scalar variable."""
        return self.inner.iterations

    def unfreeze(self, blocks: int) -> None:
        """Trains the top `blocks` blocks and all layers above them from now on; the embeddings count as one more."""
        if not self.stages:
            raise ConfigError("Received: an optimizer without stages to unfreeze. Set stages=stages_of(model).")
        is_free = np.arange(self.top + 1) >= self.top - blocks
        self.layer_rates.assign(self._scales() * is_free)

    def _scales(self) -> np.ndarray:
        return scales_by_depth(self.top, self.layer_decay or 1.0)

    def apply(self, grads: Sequence, trainable_variables: Sequence | None = None) -> None:
        """Does one step; variables whose gradient is None stay as they are."""
        if trainable_variables is not None:
            self.build(list(trainable_variables))
            self._check_variables_are_known(trainable_variables)
        present, variables = [], []
        for gradient, variable in zip(grads, trainable_variables or self._trainable_variables, strict=True):
            if gradient is not None:
                present.append(gradient)
                variables.append(variable)
        stages = [self.depths[self._get_variable_index(variable)] for variable in variables]
        layer_rates = ops.convert_to_tensor(self.layer_rates)  # [stages + 1]
        # Summed before clipping, so that the norm is that of the whole batch and not of one replica's part.
        clipped = self._clip(update_ops.sum_over_replicas(present), stages, ops.cast(layer_rates > 0, "float32"))
        learning_rate = ops.cast(self.learning_rate, "float32")
        rates = self._of_each(learning_rate * layer_rates, stages)
        for variable, rate, gradient in zip(variables, rates, clipped, strict=True):
            if self.weight_decay and update_ops.is_decayed(variable):
                update_ops.decay(variable, rate * self.weight_decay, gradient)
        update_ops.update_all(self.inner, clipped, variables, rates)
        if self.average_momentum:
            steps = ops.cast(self.iterations, "float32")  # before this one
            rest = ops.maximum(1 - self.average_momentum, 1 / (steps + 1))
            for average, variable in zip(self.averages, self._trainable_variables, strict=True):
                update_ops.subtract(average, rest * (average - ops.cast(variable, "float32")))
        self.iterations.assign_add(1)

    def _clip(self, gradients: Sequence, stages: Sequence[int], is_free: Any) -> list:
        """Gradients, 0 where not `is_free`, scaled so that their global norm is at most `clip_norm`.

        Args:
            gradients: one per variable.
            stages: the stage of each variable.
            is_free: float32 [stages + 1], 1 for stages that are trained, 0 for frozen ones.
        """
        squares = []
        for gradient, free in zip(gradients, self._of_each(is_free, stages), strict=True):
            squares.append(free * update_ops.sum_of_squares(gradient))
        norm = ops.sqrt(ops.sum(ops.stack(squares)))
        update_ops.assign(self.gradient_norm, norm)
        factors = is_free
        if self.clip_norm:
            factors = is_free * (self.clip_norm / ops.maximum(norm, self.clip_norm))
        return list(map(update_ops.scaled, gradients, self._of_each(factors, stages)))

    def _of_each(self, values: Any, stages: Sequence[int]) -> list:
        """The scalars of `values` [stages + 1] for variables of these stages."""
        scalars = ops.unstack(values, self.top + 1)
        return [scalars[stage] for stage in stages]

    def exchange_averages(self) -> None:
        """Exchanges the weights of the model with their averages."""
        for average, variable in zip(self.averages, self._trainable_variables, strict=False):
            value = ops.convert_to_numpy(variable)
            variable.assign(average)
            average.assign(value)

    def finalize_variable_values(self, var_list: Sequence) -> None:
        """Called by Keras at the end of `fit`."""
        self.inner.finalize_variable_values(var_list)

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "weight_decay": self.weight_decay,
            "clip_norm": self.clip_norm,
            "layer_decay": self.layer_decay,
            "stages": list(self.stages),
            "ema_momentum": self.average_momentum,
            "inner": keras.saving.serialize_keras_object(self.inner),
        }

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> "LayerwiseOptimizer":
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner"), custom_objects=custom_objects)
        return cls(inner, **config)


def layerwise_of(optimizer: keras.optimizers.Optimizer) -> LayerwiseOptimizer | None:
    """The `LayerwiseOptimizer` that `optimizer` is or wraps; None if it is another one."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of Keras's LossScaleOptimizer, for float16
    if isinstance(optimizer, LayerwiseOptimizer):
        return optimizer
    return None


def stages_of(model: keras.Model) -> list[str]:
    """Paths of the layers of a model's encoder from bottom to top: embeddings, then one per block."""
    return [stage.path for stage in getattr(model, "encoder", model).stages]


def depths(variables: Sequence[keras.Variable], stages: Sequence[str]) -> tuple[list[int], int]:
    """The depth of each variable (the index of its stage), and `top`, the depth of variables above all stages.

    `top` follows the last stage that has a variable: stages above it do not count.
    """
    unknown = -1
    found = []
    for variable in variables:
        depth = unknown
        for number, stage in enumerate(stages):
            if variable.path.startswith(f"{stage}/"):
                depth = number
                break
        found.append(depth)
    top = max([0, *found]) + 1
    return [top if depth == unknown else depth for depth in found], top


def scales_by_depth(top: int, decay: float) -> np.ndarray:
    """Factors of the learning rate, float32 [top + 1]: 1 at depth `top`, times `decay` for each depth below.

    Howard and Ruder 2018, section 3.2. In google-research/electra, model/optimization.py, the first step down is
    `decay` squared.
    """
    return np.power(decay, np.arange(top, -1, -1), dtype="float32")


def layer_scales(model: keras.Model, decay: float) -> dict[str, float]:
    """The factor of the learning rate of each trainable variable of a model: {path: factor}."""
    variables = model.trainable_variables
    heights, top = depths(variables, stages_of(model))
    scales = scales_by_depth(top, decay).tolist()
    return {variable.path: scales[height] for variable, height in zip(variables, heights, strict=True)}


def freeze(model: keras.Model, layers: int, embeddings: bool = True) -> None:
    """Freezes the first `layers` blocks of the model's encoder, and its embeddings.

    Call it before `compile`: an optimizer knows only the variables that it was built with.

    Args:
        model: has an `encoder`, or is one.
        layers: number of blocks, from the lowest.
        embeddings: whether the embeddings are frozen too.

    Raises:
        ConfigError: the encoder has fewer blocks.
    """
    bottom, *blocks = getattr(model, "encoder", model).stages
    if not 0 <= layers <= len(blocks):
        raise ConfigError(f"Received: {layers} layers to freeze. This encoder has {len(blocks)}.")
    bottom.trainable = not embeddings
    for i, block in enumerate(blocks):
        block.trainable = i >= layers


class GradualUnfreezing(keras.callbacks.Callback):
    """Trains only the layers above the encoder's blocks first, then one block more per period, the embeddings last.

    Howard and Ruder 2018, section 3.3. The model must be compiled with a `LayerwiseOptimizer`, which keeps the frozen
    layers in a variable, so that no function is traced again.

    Args:
        epochs: length of a period.
    """

    def __init__(self, epochs: int = 1):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Unfreezes the layers of an epoch; `ConfigError` with another optimizer."""
        optimizer = layerwise_of(self.model.optimizer)
        if optimizer is None:
            name = type(self.model.optimizer).__name__
            raise ConfigError(
                f"Received: GradualUnfreezing with the optimizer {name}. It needs a LayerwiseOptimizer: compile the "
                "model with make_optimizer."
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        optimizer.unfreeze(epoch // self.epochs)
