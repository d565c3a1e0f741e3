"""What the tests need and Keras has no one name for: gradients on TensorFlow and on JAX."""

import keras
from keras import ops


def loss_and_gradients(model, loss):
    """`loss()`, a scalar tensor computed with `model`, and its gradients as numpy arrays by the weights' names."""
    compute = _of_jax if keras.backend.backend() == "jax" else _of_tensorflow
    names = [name for name, variable in model.named_weights.items() if variable.trainable]
    value, gradients = compute([model.named_weights[name] for name in names], loss)
    arrays = [ops.convert_to_numpy(ops.zeros(v.shape) if g is None else g) for v, g in gradients]
    return float(value), dict(zip(names, arrays, strict=True))


def _of_tensorflow(variables, loss):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(value, [variable.value for variable in variables])
    return value, list(zip(variables, map(_dense, gradients), strict=True))


def _of_jax(variables, loss):
    import jax

    def of_values(values):
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)):
            return loss()

    value, gradients = jax.value_and_grad(of_values)([variable.value for variable in variables])
    return value, list(zip(variables, gradients, strict=True))


def _dense(gradient):
    import tensorflow as tf

    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def value_and_gradients(function, arrays):
    """`function` of float64 arrays, a scalar, and its gradients, step by step as the backend differentiates it."""
    if keras.backend.backend() == "jax":
        import jax

        with jax.enable_x64(True):
            value, gradients = jax.value_and_grad(function, range(len(arrays)))(*map(jax.numpy.asarray, arrays))
            return float(value), [ops.convert_to_numpy(gradient) for gradient in gradients]
    import tensorflow as tf

    tensors = [tf.constant(array) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return float(value), [gradient.numpy() for gradient in tape.gradient(value, tensors)]
