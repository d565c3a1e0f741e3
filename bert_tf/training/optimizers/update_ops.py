"""Updates of variables, in as few passes over memory as the backend allows."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

if TENSORFLOW := keras.backend.backend() == "tensorflow":
    import tensorflow as tf


_NOT_DECAYED = ("bias", "gamma", "beta")


def is_decayed(variable: keras.Variable) -> bool:
    """Whether weight decay applies to a variable: to all but biases and the weights of layer norms."""
    return variable.name not in _NOT_DECAYED


def update_all(optimizer: keras.optimizers.Optimizer, gradients: list, variables: Sequence, rates: list) -> None:
    """Calls `optimizer.update_step(gradient, variable, rate)` for each variable.

    Under a `tf.distribute` strategy it is called for each replica's copy of the variable, with that replica's summed
    gradient, as Keras's own optimizers do.
    """

    def update(variable: Any, gradient: Any, rate: Any) -> None:
        optimizer.update_step(gradient, variable, rate)

    def update_copies(strategy: Any, gradients: list, rates: list) -> None:
        for gradient, variable, rate in zip(gradients, variables, rates, strict=True):
            strategy.extended.update(variable.value, update, args=(gradient, rate), group=False)

    if TENSORFLOW:
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    if TENSORFLOW and tf.distribute.has_strategy():
        strategy = tf.distribute.get_strategy()
        tf.__internal__.distribute.interim.maybe_merge_call(update_copies, strategy, gradients, rates)
    else:
        for gradient, variable, rate in zip(gradients, variables, rates, strict=True):
            update(variable, gradient, rate)


def sum_over_replicas(gradients: Sequence) -> list:
    """Gradients, summed over the replicas of the `tf.distribute` strategy that this runs under.

    The gradient of an embedding table is slices of it. On one replica it stays so, with one slice per row; the sum
    over several is dense.
    """
    if not TENSORFLOW:
        return list(gradients)
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return [_sum_of_rows(gradient) if _is_slices(gradient) else gradient for gradient in gradients]
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, [tf.convert_to_tensor(gradient) for gradient in gradients])


def _is_slices(gradient: Any) -> bool:
    return TENSORFLOW and isinstance(gradient, tf.IndexedSlices)


def _sum_of_rows(slices: Any) -> Any:
    """Adds up slices of the same row: the first of them gets the sum, the others zeros."""
    numbers = tf.range(tf.size(slices.indices))
    first = tf.gather(tf.math.unsorted_segment_min(numbers, slices.indices, slices.dense_shape[0]), slices.indices)
    sums = tf.math.unsorted_segment_sum(slices.values, first, tf.size(numbers))
    return tf.IndexedSlices(sums, slices.indices, slices.dense_shape)


def scaled(gradient: Any, factor: Any) -> Any:
    """A gradient of `sum_over_replicas` times a number, in float32."""
    if _is_slices(gradient):
        return tf.IndexedSlices(scaled(gradient.values, factor), gradient.indices, gradient.dense_shape)
    return ops.cast(gradient, "float32") * factor


def sum_of_squares(x: Any) -> Any:
    """The float32 sum over the squared elements of a tensor or of a gradient of `sum_over_replicas`."""
    x = ops.cast(x.values if _is_slices(x) else x, "float32")
    return 2 * tf.nn.l2_loss(x) if TENSORFLOW else ops.sum(ops.square(x))


def adam(
    variable: Any,
    momentum: Any,
    velocity: Any,
    gradient: Any,
    rate: Any,
    powers: Sequence,
    betas: Sequence[float],
    epsilon: float,
) -> None:
    """Moves the moments, and the variable by -rate * sqrt(1 - p2) / (1 - p1) * m / (sqrt(v) + epsilon).

    `powers` (p1, p2) are the betas to the power of the step, or zeros for no bias correction (Kingma and Ba 2015, end
    of section 2).
    """
    dtype = variable.dtype
    rate, p1, p2, b1, b2, epsilon = (ops.cast(x, dtype) for x in (rate, *powers, *betas, epsilon))
    if TENSORFLOW:
        # One pass over memory; the same in `keras.ops` takes a dozen.
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(momentum),
            v=_handle(velocity),
            beta1_power=p1,
            beta2_power=p2,
            lr=rate,
            beta1=b1,
            beta2=b2,
            epsilon=epsilon,
            grad=tf.convert_to_tensor(gradient),
        )
        return
    momentum.assign(momentum + (gradient - momentum) * (1 - b1))
    velocity.assign(velocity + (ops.square(gradient) - velocity) * (1 - b2))
    rate = rate * ops.sqrt(1 - p2) / (1 - p1)
    variable.assign(variable - rate * momentum / (ops.sqrt(velocity) + epsilon))


def _handle(variable: Any) -> Any:
    """The resource of a Keras or TensorFlow variable, on this replica."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def subtract(variable: Any, value: Any) -> None:
    """`variable` -= `value`, on each replica for itself."""
    if TENSORFLOW:
        tf.raw_ops.AssignSubVariableOp(resource=_handle(variable), value=value)
    else:
        variable.assign_sub(value)


def assign(variable: Any, value: Any) -> None:
    """`variable` = `value`, on each replica for itself."""
    if TENSORFLOW:
        tf.raw_ops.AssignVariableOp(resource=_handle(variable), value=value)
    else:
        variable.assign(value)
