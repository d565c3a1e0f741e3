"""What is compiled: large tensors of known shape, under TensorFlow; sums by products are sums."""

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.ops import xla

tensorflow_alone = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX compiles whole steps")


@xla.fused
def doubled(x, factor):
    return x * factor


def is_compiled(shape):
    """Whether XLA gets `doubled` in a graph that knows this much of a shape."""
    import tensorflow as tf

    graph = tf.function(lambda x: doubled(x, 2)).get_concrete_function(tf.TensorSpec(shape, tf.float32)).graph
    return any("_XlaMustCompile" in operation.node_def.attr for operation in graph.get_operations())


@tensorflow_alone
@pytest.mark.parametrize(
    ("shape", "expected"), [((512, 256), True), ((512, 255), False), ((None, 2**20), False), (None, False)]
)
def test_known_and_large(shape, expected):
    assert is_compiled(shape) == expected


@tensorflow_alone
def test_compiled_for_each_shape_with_the_same_result():
    for shape in ((512, 256), (256, 600)):
        x = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_array_equal(doubled(ops.convert_to_tensor(x), 3), 3 * x)


@tensorflow_alone
def test_nothing_is_kept_for_a_gradient():
    """What is compiled gives its result alone, where somebody differentiates what is around it."""
    import tensorflow as tf

    @tf.function
    def differentiated(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = doubled(x, 2)
        return y, tape.gradient(y, x, unconnected_gradients="zero")

    graph = differentiated.get_concrete_function(tf.TensorSpec((512, 256), tf.float32)).graph
    (compiled,) = [operation for operation in graph.get_operations() if "_XlaMustCompile" in operation.node_def.attr]
    assert len(compiled.outputs) == 1


@pytest.mark.parametrize("on_cpu", [True, False])
def test_sums(on_cpu, monkeypatch):
    monkeypatch.setattr(xla, "_on_cpu", lambda: on_cpu)
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32")
    np.testing.assert_allclose(xla.row_sums(x), x.sum(-1, keepdims=True), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(xla.column_sums(x), x.sum((0, 1)), rtol=1e-5, atol=1e-6)
