"""What an update does with tensors and variables, in as few passes over memory as the backend can."""

import keras
from keras import ops

if TENSORFLOW := keras.backend.backend() == "tensorflow":
    import tensorflow as tf


def sum_over_replicas(gradients):
    """Gradients, summed over the replicas of the `tf.distribute` strategy that this runs under.

    Those of looked-up rows are slices of a table. On one replica they stay so, each row's in one slice; the sum over
    several is dense.
    """
    if not TENSORFLOW:
        return gradients
    replica = tf.distribute.get_replica_context()
    if replica.num_replicas_in_sync == 1:
        return [_sum_of_rows(gradient) if _is_slices(gradient) else gradient for gradient in gradients]
    return replica.all_reduce(tf.distribute.ReduceOp.SUM, [tf.convert_to_tensor(gradient) for gradient in gradients])


def _is_slices(gradient):
    return TENSORFLOW and isinstance(gradient, tf.IndexedSlices)


def _sum_of_rows(slices):
    """Slices that may name a row twice as ones whose first of a row has its sum, and the others zeros."""
    numbers = tf.range(tf.size(slices.indices))
    first = tf.gather(tf.math.unsorted_segment_min(numbers, slices.indices, slices.dense_shape[0]), slices.indices)
    sums = tf.math.unsorted_segment_sum(slices.values, first, tf.size(numbers))
    return tf.IndexedSlices(sums, slices.indices, slices.dense_shape)


def scaled(gradient, factor):
    """A gradient of `sum_over_replicas` times a number, in float32."""
    if _is_slices(gradient):
        return tf.IndexedSlices(scaled(gradient.values, factor), gradient.indices, gradient.dense_shape)
    return ops.cast(gradient, "float32") * factor


def sum_of_squares(x):
    """Of all elements of a tensor, or of a gradient of `sum_over_replicas`, in float32."""
    x = ops.cast(x.values if _is_slices(x) else x, "float32")
    return 2 * tf.nn.l2_loss(x) if TENSORFLOW else ops.sum(ops.square(x))


def adam(variable, momentum, velocity, gradient, rate, powers, betas, epsilon):
    """Moves the moments, and the variable by -rate * sqrt(1 - p2) / (1 - p1) * m / (sqrt(v) + epsilon).

    `powers` (p1, p2) are the betas to the power of the step, or zeros to leave the bias of the moments in
    (Kingma and Ba 2015, end of section 2).
    """
    dtype = variable.dtype
    rate, p1, p2, b1, b2, epsilon = (ops.cast(x, dtype) for x in (rate, *powers, *betas, epsilon))
    if TENSORFLOW:
        # One pass where the same in `keras.ops` takes a dozen; handles, because all replicas make the same update.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
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


def subtract(variable, value):
    """`variable` -= `value`, on each replica for itself."""
    if TENSORFLOW:
        tf.raw_ops.AssignSubVariableOp(resource=variable.value.handle, value=value)
    else:
        variable.assign_sub(value)


def assign(variable, value):
    """`variable` = `value`, on each replica for itself."""
    if TENSORFLOW:
        tf.raw_ops.AssignVariableOp(resource=variable.value.handle, value=value)
    else:
        variable.assign(value)
