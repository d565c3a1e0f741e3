"""Gradients written out are those of the function, step by step in float64; 16 bits lose no sums."""

import types

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling import gradients
from bert_tf.modeling.block import TransformerBlock
from bert_tf.modeling.losses import SparseCrossEntropy, cross_entropy
from tests.modeling.backends import loss_and_gradients, value_and_gradients

KEEP = np.random.default_rng(1).integers(0, 2, (2, 3, 4, 4)).astype("float64")


def plain_gelu(x):
    return 0.5 * x * (1 + ops.erf(x / np.sqrt(2.0)))


def attend(scores, value):
    return gradients.attend(scores, value, ops.cast(KEEP, scores.dtype))


def plain_attend(scores, value):
    return ops.matmul(ops.softmax(scores) * KEEP, value)


def add_and_norm(x, residual, gamma, beta):
    return gradients.add_and_norm(x, residual, ops.cast(KEEP[0], x.dtype), gamma, beta, 1.25, 1e-3)


def plain_add_and_norm(x, residual, gamma, beta):
    x = residual + x * KEEP[0] * 1.25
    x = x - ops.mean(x, -1, keepdims=True)
    return x / ops.sqrt(ops.mean(x * x, -1, keepdims=True) + 1e-3) * gamma + beta


def plain_cross_entropy(logits):
    return -ops.sum(ops.log(ops.softmax(logits)) * np.eye(7)[IDS], -1)


IDS = [6, 0, 3, 3, 1]
CASES = [
    (lambda logits: cross_entropy(logits, ops.convert_to_tensor(IDS)), plain_cross_entropy, [(5, 7)]),
    (gradients.gelu, plain_gelu, [(5, 7)]),
    (attend, plain_attend, [(2, 3, 4, 4), (2, 3, 4, 5)]),
    (add_and_norm, plain_add_and_norm, [(3, 4, 4), (3, 4, 4), (4,), (4,)]),
]


@pytest.mark.parametrize(("ours", "plain", "shapes"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_equal_to_automatic_differentiation(ours, plain, shapes):
    random = np.random.default_rng(0)
    arrays = [2 * random.normal(size=shape) for shape in shapes]
    weights = random.normal(size={"attend": (2, 3, 4, 5), "<lambda>": (5,)}.get(ours.__name__, shapes[0]))
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
