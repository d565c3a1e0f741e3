"""Fast operations equal their plain references in values and gradients, in float64."""

import types

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.layers.transformer_block import TransformerBlock
from bert_tf.modeling.ops import cross_entropy, fused_ops, plain_ops, xla
from bert_tf.modeling.ops.cross_entropy import SparseCrossEntropy, accuracy
from tests.modeling.backends import loss_and_gradients, value_and_gradients

IDS = [6, 0, 3, 3, 1]
MASK = np.array([0, 0, -1, -1e4]).reshape(1, 1, 1, 4)


def mask_args():
    """Arguments of dropout: a seed, of 256 values of a byte those that are dropped, and the scale of the rest."""
    return ops.convert_to_tensor(np.array([3, 4], "uint32")), 100, 256 / 156


# {operation: (module, further arguments, shapes of the arrays)}
CASES = {
    "gelu": (fused_ops, lambda: (), [(5, 7)]),
    "dropout": (fused_ops, mask_args, [(3, 5, 7)]),
    "attend": (fused_ops, lambda: (ops.convert_to_tensor(MASK), *mask_args()), 3 * [(2, 3, 4, 5)]),
    "add_and_norm": (fused_ops, lambda: (1e-3, *mask_args()), [(3, 4, 4), (3, 4, 4), (4,), (4,)]),
    "cross_entropy": (cross_entropy, lambda: (ops.convert_to_tensor(IDS),), [(5, 7)]),
    "smoothed cross_entropy": (cross_entropy, lambda: (ops.convert_to_tensor(IDS), 0.1), [(5, 7)]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("smallest", [xla.SMALLEST, 0], ids=["operation by operation", "compiled"])
def test_equal_to_the_plain_reference_and_its_automatic_gradient(name, smallest, monkeypatch):
    monkeypatch.setattr(xla, "SMALLEST", smallest)
    module, more, shapes = CASES[name]
    random = np.random.default_rng(0)
    arrays = [2 * random.normal(size=shape) for shape in shapes]
    weights = random.normal(size=(5,) if name.endswith("cross_entropy") else shapes[0])
    name = name.removeprefix("smoothed ")

    def weighted(function):
        return lambda *xs: ops.sum(function(*xs, *more()) * weights)

    found = value_and_gradients(weighted(getattr(module, name)), arrays)
    expected = value_and_gradients(weighted(getattr(plain_ops, name)), arrays)
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    tolerance = 1e-6 if keras.backend.backend() == "jax" else 1e-12  # Keras's means on JAX are float32
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def test_a_trained_block_is_differentiated_right_with_dropout_off():
    """The whole block, in training, against the same in inference, which is differentiated step by step."""
    keras.utils.set_random_seed(0)  # a loss near 0 would have a large relative error
    block = TransformerBlock(2, 8, 12, "gelu", 1e-6, 0.0, 0.0, 0.3)
    block.build()
    weights = types.SimpleNamespace(named_weights={variable.path: variable for variable in block.trainable_variables})
    x = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
    mask = np.array([0, 0, 0, 0, -3e4], "float32").reshape(1, 1, 1, 5)
    found, expected = (
        loss_and_gradients(weights, lambda on=training: ops.sum(block(x, mask, training=on)[0] ** 3))
        for training in (True, False)
    )
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=0, atol=1e-4 * max(1, np.abs(gradient).max()))


def test_cross_entropy_of_logits_far_apart_and_of_many_dimensions():
    logits = np.array([[[200.0, 0, -200], [0, 0, 0]]], "float32")
    loss = SparseCrossEntropy(reduction=None)(np.array([[2, 1]]), logits)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), [[400, np.log(3)]], rtol=1e-6)


def test_label_smoothing_by_hand():
    """Targets 0.85, 0.05, 0.05, 0.05 of the probabilities 1/2, 1/4, 1/8, 1/8."""
    loss = SparseCrossEntropy(label_smoothing=0.2, reduction=None)
    found = loss(np.array([0]), np.log(np.array([[4.0, 2, 1, 1]], "float32")))
    expected = np.log(2) * (0.85 * 1 + 0.05 * (2 + 3 + 3))
    np.testing.assert_allclose(ops.convert_to_numpy(found), [expected], rtol=1e-6)
    assert SparseCrossEntropy.from_config(loss.get_config()).label_smoothing == 0.2


@pytest.mark.parametrize("axes", [(), (1,)], ids=["ids", "ids of one column"])
@pytest.mark.parametrize("shape", [(40,), (8, 5)])
def test_accuracy_is_that_of_keras(shape, axes):
    random = np.random.default_rng(0)
    logits = random.integers(0, 3, (*shape, 4)).astype("float32")  # whose greatest are often several
    ids = random.integers(0, 4, (*shape, *axes))
    expected = keras.metrics.sparse_categorical_accuracy(ids.reshape(shape), logits)
    assert 0.1 < np.mean(expected) < 0.5
    np.testing.assert_array_equal(accuracy(ids, logits), expected)
