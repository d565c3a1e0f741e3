"""Layers, activations and poolings by numbers worked by hand."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.embeddings import Embeddings
from bert_tf.modeling.layers.heads import MaskedLMHead
from bert_tf.modeling.layers.pooling import gather_positions, normalize, pool
from bert_tf.modeling.layers.transformer_block import SelfAttention, TransformerBlock


def assert_close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "at_minus_one", "at_one"),
    [
        ("gelu", -0.15865526, 0.84134474),
        ("gelu_tanh", -0.15880801, 0.84119199),
        ("quick_gelu", -0.15420423, 0.84579577),
        ("relu", 0, 1),
        ("relu6", 0, 1),
        ("sigmoid", 0.26894142, 0.73105858),
        ("silu", -0.26894142, 0.73105858),
        ("tanh", -0.76159416, 0.76159416),
        ("mish", -0.30340146, 0.86509839),
        ("linear", -1, 1),
    ],
)
def test_activations(name, at_minus_one, at_one):
    assert_close(get_activation(name)(ops.convert_to_tensor([-1.0, 1.0])), [at_minus_one, at_one])
    if name == "relu6":
        assert_close(get_activation(name)(ops.convert_to_tensor([7.0])), [6])


def test_an_unknown_activation():
    with pytest.raises(ConfigError, match="Received: activation='swoosh'. Known activations: gelu, "):
        get_activation("swoosh")


@pytest.fixture
def identity_attention():
    """One head of size 4 in which every projection leaves a vector as it is."""
    attention = SelfAttention(1, 4, 0.0, 0.02)
    attention.build()
    for layer in (attention.query, attention.key, attention.value, attention.output_dense):
        layer.kernel.assign(np.eye(4))
    return attention


def test_attention_is_the_softmax_of_products_over_the_root_of_the_head_size(identity_attention):
    x = np.zeros((1, 2, 4), "float32")
    x[0, 0, 0] = a = math.sqrt(2 * math.log(3))  # a * a / sqrt(4) = log 3
    output, probs = identity_attention(x, np.zeros((1, 1, 1, 2), "float32"))
    assert_close(probs, [[[[0.75, 0.25], [0.5, 0.5]]]])
    assert_close(output[..., 0], [[0.75 * a, 0.5 * a]])


def test_attention_looks_away_from_what_is_masked(identity_attention):
    x = np.ones((1, 3, 4), "float32")
    _, probs = identity_attention(x, np.array([[[[0, 0, -3e4]]]], "float32"))
    assert_close(probs, np.broadcast_to([0.5, 0.5, 0], (1, 1, 3, 3)))


def test_heads_are_neighbouring_dimensions():
    attention = SelfAttention(2, 4, 0.0, 0.02)
    attention.build()
    for layer in (attention.query, attention.key):
        layer.kernel.assign(np.eye(4))
    x = np.zeros((1, 2, 4), "float32")
    x[0, 0, 2:] = math.sqrt(math.log(3) / math.sqrt(2))  # seen by the second head alone: 2 x x / sqrt(2) = log 3
    _, probs = attention(x, np.zeros((1, 1, 1, 2), "float32"))
    assert_close(probs[0, :, 0], [[0.5, 0.5], [0.75, 0.25]])


def test_a_block_adds_before_it_normalises():
    block = TransformerBlock(1, 2, 2, "relu", 1e-12, 0.0, 0.0, 0.02)
    block.build()
    weights = {variable.path.split("/", 1)[1]: variable for variable in block.weights}
    for name, variable in weights.items():
        variable.assign(np.ones(variable.shape) if name.endswith("gamma") else np.zeros(variable.shape))
    weights["intermediate/bias"].assign([1, -1])  # relu: [1, 0]
    weights["output/kernel"].assign([[-4, 0], [9, 9]])  # [-4, 0]
    x = np.array([[[5, 1]]], "float32")  # attention adds 0; its norm gives [1, -1]; [1 - 4, -1] has mean -2
    output, _ = block(x, np.zeros((1, 1, 1, 1), "float32"))
    assert_close(output, [[[-1, 1]]])


def test_embeddings_are_the_normalised_sum_of_three():
    layer = Embeddings(3, 2, 4, 2, 1e-12, 0.0, 0.02)
    layer.build()
    layer.token.embeddings.assign([[0, 0], [1, 0], [0, 8]])
    layer.position.embeddings.assign([[0, 0], [0, 3], [0, 0], [9, 0]])
    layer.segment.embeddings.assign([[0, 0], [5, 0]])
    layer.norm.gamma.assign([2, 2])
    layer.norm.beta.assign([0, 1])
    # Sums: [1, 0], [0, 11], [5, 0]; the norm of two numbers is 1 for the larger and -1 for the smaller.
    expected = [[[2, -1], [-2, 3], [2, -1]]]
    assert_close(layer(np.array([[1, 2, 0]]), np.array([[0, 0, 1]])), expected)
    # With positions 0, 1, 3: [1, 0], [0, 11], [14, 0] the same; with position 3 for the second: [9, 8].
    assert_close(layer(np.array([[1, 2, 0]]), np.array([[0, 0, 1]]), np.array([[0, 3, 0]]))[0, 1], [2, -1])


def test_masked_lm_head_is_tied_to_the_embedding():
    head = MaskedLMHead(2, 2, 3, "linear", 1e-12, 0.02)
    head.build()
    head.transform.kernel.assign(np.eye(2))
    head.bias.assign([0, 0, 10])
    x = np.array([[[1, 7], [4, 2]]], "float32")
    table = np.array([[1, 0], [0, 1], [2, 3]], "float32")
    logits = head(x, table)  # norms: [-1, 1] and [1, -1]
    assert_close(logits, [[[-1, 1, 11], [1, -1, 9]]])


def test_gather_positions():
    sequence = np.arange(12, dtype="float32").reshape(2, 3, 2)
    assert_close(gather_positions(sequence, np.array([[2, 0], [1, 1]])), [[[4, 5], [0, 1]], [[8, 9], [8, 9]]])


@pytest.mark.parametrize(
    ("pooling", "expected"), [("cls", [[1, -5], [9, 9]]), ("mean", [[2, -3], [9, 9]]), ("max", [[3, -1], [9, 9]])]
)
def test_poolings_skip_padding(pooling, expected):
    sequence = np.array([[[1, -5], [3, -1], [7, 7]], [[9, 9], [0, 0], [0, 99]]], "float32")
    mask = np.array([[1, 1, 0], [1, 0, 0]])
    assert_close(pool(sequence, mask, pooling), expected)
    assert keras.backend.standardize_dtype(pool(ops.cast(sequence, "bfloat16"), mask, pooling).dtype) == "float32"


def test_an_unknown_pooling():
    with pytest.raises(ConfigError, match="Received: pooling='median'. Known poolings: cls, mean, max."):
        pool(np.zeros((1, 1, 1), "float32"), np.ones((1, 1)), "median")


def test_normalize():
    assert_close(normalize(np.array([[3, 4], [0, 0]], "float32")), [[0.6, 0.8], [0, 0]])
