"""Gradients written out are those of the function, step by step in float64; 16 bits lose no sums."""

import types

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.layers.transformer_block import TransformerBlock
from bert_tf.modeling.ops import fused_ops, xla
from bert_tf.modeling.ops.cross_entropy import SparseCrossEntropy, accuracy, cross_entropy
from bert_tf.modeling.ops.random_bytes import random_bytes
from tests.modeling.backends import loss_and_gradients, value_and_gradients

SEED = np.array([3, 4], "uint32")
DROPPED, SCALE = 100, 256 / 156


def kept(shape):
    """1 or 0 for each element that a byte drawn from `SEED` keeps or drops."""
    return ops.convert_to_numpy(random_bytes(ops.zeros(shape), ops.convert_to_tensor(SEED))) >= DROPPED


def dropping():
    return ops.convert_to_tensor(SEED), DROPPED, SCALE


def plain_gelu(x):
    return 0.5 * x * (1 + ops.erf(x / np.sqrt(2.0)))


def dropout(x):
    return fused_ops.dropout(x, *dropping())


def plain_dropout(x):
    return x * kept(x.shape) * SCALE


MASK = np.array([0, 0, -1, -1e4]).reshape(1, 1, 1, 4)


def attend(query, key, value):
    return fused_ops.attend(query, key, value, ops.convert_to_tensor(MASK), *dropping())


def plain_attend(query, key, value):
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / np.sqrt(5.0) + MASK
    return ops.matmul(ops.softmax(scores) * kept(scores.shape) * SCALE, value)


def add_and_norm(x, residual, gamma, beta):
    return fused_ops.add_and_norm(x, residual, gamma, beta, 1e-3, *dropping())


def plain_add_and_norm(x, residual, gamma, beta):
    x = residual + x * kept(x.shape) * SCALE
    x = x - ops.mean(x, -1, keepdims=True)
    return x / ops.sqrt(ops.mean(x * x, -1, keepdims=True) + 1e-3) * gamma + beta


def plain_cross_entropy(logits):
    return -ops.sum(ops.log(ops.softmax(logits)) * np.eye(7)[IDS], -1)


IDS = [6, 0, 3, 3, 1]
CASES = [
    (lambda logits: cross_entropy(logits, ops.convert_to_tensor(IDS)), plain_cross_entropy, [(5, 7)]),
    (fused_ops.gelu, plain_gelu, [(5, 7)]),
    (dropout, plain_dropout, [(3, 5, 7)]),
    (attend, plain_attend, 3 * [(2, 3, 4, 5)]),
    (add_and_norm, plain_add_and_norm, [(3, 4, 4), (3, 4, 4), (4,), (4,)]),
]


@pytest.mark.parametrize(("ours", "plain", "shapes"), CASES, ids=lambda case: getattr(case, "__name__", ""))
@pytest.mark.parametrize("smallest", [xla.SMALLEST, 0], ids=["operation by operation", "compiled"])
def test_equal_to_automatic_differentiation(ours, plain, shapes, smallest, monkeypatch):
    monkeypatch.setattr(xla, "SMALLEST", smallest)
    random = np.random.default_rng(0)
    arrays = [2 * random.normal(size=shape) for shape in shapes]
    weights = random.normal(size=(5,) if ours.__name__ == "<lambda>" else shapes[0])
    found, expected = (
        value_and_gradients(lambda *xs, f=function: ops.sum(f(*xs) * weights), arrays) for function in (ours, plain)
    )
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    tolerance = 1e-6 if keras.backend.backend() == "jax" else 1e-12  # Keras's means on JAX are float32
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def test_a_trained_block_is_differentiated_right_with_dropout_off():
    """The whole block, in training, against the same in inference, which is differentiated step by step."""
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


@pytest.mark.parametrize("axes", [(), (1,)], ids=["ids", "ids of one column"])
@pytest.mark.parametrize("shape", [(40,), (8, 5)])
def test_accuracy_is_that_of_keras(shape, axes):
    random = np.random.default_rng(0)
    logits = random.integers(0, 3, (*shape, 4)).astype("float32")  # whose greatest are often several
    ids = random.integers(0, 4, (*shape, *axes))
    expected = keras.metrics.sparse_categorical_accuracy(ids.reshape(shape), logits)
    assert 0.1 < np.mean(expected) < 0.5
    np.testing.assert_array_equal(accuracy(ids, logits), expected)
