"""Variable updates and gradient sums of the optimizers, in as few passes over memory as the backend allows."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

if TENSORFLOW := keras.backend.backend() == "tensorflow":
    import tensorflow as tf


_NOT_DECAYED = ("bias", "gamma", "beta")


def is_decayed(variable: keras.Variable) -> bool:
    """Whether weight decay applies to a variable: not to biases and the weights of layer norms."""
    return variable.name not in _NOT_DECAYED


def update_all(optimizer: keras.optimizers.Optimizer, gradients: list, variables: Sequence, rates: list) -> None:
    """Calls `optimizer.update_step(gradient, variable, rate)` for each variable.

    Under a `tf.distribute` strategy it is called for each replica's copy of the variable, with that replica's copy of
    the summed gradient, as Keras's own optimizers do.

    Args:
        optimizer: has `update_step`.
        gradients: one per variable, summed over all replicas.
        variables: to update.
        rates: learning rate of each variable, float32 scalars.
    """

    def update(variable: Any, gradient: Any, rate: Any) -> None:
        optimizer.update_step(gradient, variable, rate)

    def update_copies(strategy: Any, gradients: list, rates: list) -> None:
        for gradient, variable, rate in zip(gradients, variables, rates, strict=True):
            strategy.extended.update(variable.value, update, args=(gradient, rate), group=False)

    if TENSORFLOW:
        gradients = list(map(tf.convert_to_tensor, gradients))
    if TENSORFLOW and tf.distribute.has_strategy():
        strategy = tf.distribute.get_strategy()
        tf.__internal__.distribute.interim.maybe_merge_call(update_copies, strategy, gradients, rates)
    else:
        for gradient, variable, rate in zip(gradients, variables, rates, strict=True):
            update(variable, gradient, rate)


def sum_over_replicas(gradients: Sequence) -> list:
    """Gradients summed over the replicas of the current `tf.distribute` strategy.

    On one replica the gradient of an embedding table stays an `IndexedSlices`, with one slice per row; on several all
    gradients become dense.
    """
    if not TENSORFLOW:
        return list(gradients)
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync > 1:
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, list(map(tf.convert_to_tensor, gradients)))
    sums = []
    for gradient in gradients:
        # Slices of one row are added up here, because the square of their sum is not the sum of their squares.
        sums.append(_sum_of_rows(gradient) if _is_slices(gradient) else gradient)
    return sums


def _is_slices(gradient: Any) -> bool:
    return TENSORFLOW and isinstance(gradient, tf.IndexedSlices)


def _sum_of_rows(slices: Any) -> Any:
    """Adds up slices of the same row: the first of them gets the sum, the others zeros."""
    numbers = tf.range(tf.size(slices.indices))
    # For each slice, the number of the first slice of the same row.
    first = tf.gather(tf.math.unsorted_segment_min(numbers, slices.indices, slices.dense_shape[0]), slices.indices)
    sums = tf.math.unsorted_segment_sum(slices.values, first, tf.size(numbers))
    return tf.IndexedSlices(sums, slices.indices, slices.dense_shape)


def scaled(gradient: Any, factor: Any) -> Any:
    """A gradient from `sum_over_replicas` times a scalar, in float32."""
    if _is_slices(gradient):
        return tf.IndexedSlices(scaled(gradient.values, factor), gradient.indices, gradient.dense_shape)
    return ops.cast(gradient, "float32") * factor


def sum_of_squares(x: Any) -> Any:
    """The sum of the squared elements of a tensor or of a gradient from `sum_over_replicas`, a float32 scalar."""
    x = ops.cast(x.values if _is_slices(x) else x, "float32")
    if TENSORFLOW:
        return 2 * tf.nn.l2_loss(x)  # one pass; `l2_loss` is half the sum
    return ops.sum(ops.square(x))


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
    """Updates the moments, and adds -rate * sqrt(1 - p2) / (1 - p1) * m / (sqrt(v) + epsilon) to the variable.

    Args:
        variable, momentum, velocity, gradient: of one shape and dtype.
        rate: learning rate, a scalar.
        powers: (p1, p2), the betas to the power of the step; zeros for no bias correction (Kingma and Ba 2015, end of
            section 2).
        betas: decay rates of the moments.
        epsilon: added to the root of the second moment.
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
    """The resource handle of a Keras or TensorFlow variable on this replica."""
    if isinstance(variable, keras.Variable):
        variable = variable.value
    return variable.handle


def subtract(variable: Any, value: Any) -> None:
    """`variable` -= `value`, on the current replica only."""
    if TENSORFLOW:
        tf.raw_ops.AssignSubVariableOp(resource=_handle(variable), value=value)
    else:
        variable.assign_sub(value)


def decay(variable: Any, share: Any, gradient: Any) -> None:
    """Takes a share, a scalar, off a variable, in place, once its `gradient` is known.

    Before that the forward pass reads the variable: TensorFlow would then make a new one between the activations, where
    it would keep their memory from being used again, a tenth of a step's.
    """
    with tf.control_dependencies([gradient]) if TENSORFLOW else contextlib.nullcontext():
        subtract(variable, variable * share)


def assign(variable: Any, value: Any) -> None:
    """`variable` = `value`, on the current replica only."""
    if TENSORFLOW:
        tf.raw_ops.AssignVariableOp(resource=_handle(variable), value=value)
    else:
        variable.assign(value)
