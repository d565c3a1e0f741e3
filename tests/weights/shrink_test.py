"""Kernels keep the numbers of the heads, columns and layers that stay."""

import dataclasses

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.modeling.families.bilstm import BiLSTMConfig
from bert_tf.modeling.families.modernbert import ModernBertConfig
from bert_tf.weights import schema
from bert_tf.weights.shrink import keep_heads_and_columns, keep_layers
from tests.weights.samples import make, make_family


def test_heads_and_columns():
    whole = make("encoder")  # two blocks of two heads of four numbers, and twelve columns
    cut = keep_heads_and_columns(whole, [[1], [0, 1]], [[0, 7], [3]])
    assert (cut.encoder.layer_heads, cut.encoder.layer_intermediate_sizes) == ((1, 2), (2, 1))
    assert {name: array.shape for name, array in cut.weights.items()} == schema("bert", cut.encoder)
    for name in ("query", "key", "value"):
        kernel, bias = (f"encoder/block_0/attention/{name}/{part}" for part in ("kernel", "bias"))
        np.testing.assert_array_equal(cut.weights[kernel], whole.weights[kernel][:, 4:])
        np.testing.assert_array_equal(cut.weights[bias], whole.weights[bias][4:])
    name = "encoder/block_0/attention/output/kernel"
    np.testing.assert_array_equal(cut.weights[name], whole.weights[name][4:])
    for name in ("intermediate/kernel", "intermediate/bias"):
        name = f"encoder/block_0/{name}"
        np.testing.assert_array_equal(cut.weights[name], whole.weights[name][..., [0, 7]])
    name = "encoder/block_1/output/kernel"
    np.testing.assert_array_equal(cut.weights[name], whole.weights[name][[3]])
    for name in ("encoder/block_1/attention/query/kernel", "encoder/block_0/output/bias"):
        np.testing.assert_array_equal(cut.weights[name], whole.weights[name])


def test_layers_take_the_sizes_with_them():
    whole = make_family("bert", num_layers=4, layer_heads=(1, 2, 1, 2), layer_intermediate_sizes=(3, 4, 5, 6))
    cut = keep_layers(whole, [0, 3])
    assert (cut.encoder.layer_heads, cut.encoder.layer_intermediate_sizes) == ((1, 2), (3, 6))
    assert {name: array.shape for name, array in cut.weights.items()} == schema("bert", cut.encoder)
    for name in ("intermediate/kernel", "attention/query/bias"):
        np.testing.assert_array_equal(cut.weights[f"encoder/block_1/{name}"], whole.weights[f"encoder/block_3/{name}"])


def test_what_cannot_stay():
    for heads, columns in (([[], [0]], [[0]] * 2), ([[0], [2]], [[0]] * 2), ([[0]] * 2, [[0, 0], [1]])):
        with pytest.raises(ConfigError, match=r"as the (heads|columns) of block \d that stay"):
            keep_heads_and_columns(make("encoder"), heads, columns)
    for layers in ([], [0, 0], [1, 0], [0, 2], [-1]):
        with pytest.raises(ConfigError, match="ascending order"):
            keep_layers(make("encoder"), layers)
    with pytest.raises(InputError, match="share weights"):
        keep_layers(make_family("albert", embedding_size=4), [0])
    with pytest.raises(InputError, match="'bilstm', which has no transformer blocks"):
        keep_layers(dataclasses.replace(make("encoder"), family="bilstm", encoder=BiLSTMConfig()), [0])


def test_layers_of_another_kind_do_not_take_a_place():
    whole = make_family("modernbert", num_layers=6, local_window=4, global_every=2)
    assert keep_layers(whole, [0, 3]).encoder.num_layers == 2
    for layers in ([1, 2], [0, 2]):
        with pytest.raises(ConfigError, match="computes something else"):
            keep_layers(whole, layers)


@pytest.mark.parametrize("config", [BertConfig, ModernBertConfig])
@pytest.mark.parametrize("sizes", [(1,), (0, 1), (1, 3), (1, "2"), 2])
def test_sizes_that_cannot_be(config, sizes):
    settings = {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "intermediate_size": 2}
    for name in ("layer_heads", "layer_intermediate_sizes"):
        with pytest.raises(ConfigError, match=f"{name}=.*a number for each of the 2 blocks, from 1 to"):
            config(**settings, **{name: sizes})
