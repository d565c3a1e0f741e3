"""The contract of every transformer family: packing, selected positions, rematerialization, and attention in chunks."""

import keras
import numpy as np
import pytest
from keras import ops

from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.layers.rotary import rotate, rotations
from bert_tf.modeling.pretrainer import BertPretrainer
from tests.modeling.backends import loss_and_gradients
from tests.modeling.families import bert_test
from tests.modeling.families.bert_test import SIZES, assert_close, to_numpy

NAMES = [name for name, family in FAMILIES.items() if issubclass(family.encoder, TransformerEncoder)]
EXTRA = {"albert": {"num_layers": 4, "num_groups": 2}, "modernbert": {"num_layers": 3, "local_window": 4}}


def settings_of(name):
    extra = EXTRA.get(name, {})
    if name in ("albert", "electra"):
        extra = extra | {"embedding_size": 4}
    return SIZES | extra


def shifted(inputs):
    """With other ids, because 1 is RoBERTa's id of padding."""
    return inputs | {"input_ids": np.where(inputs["input_mask"] == 1, inputs["input_ids"] + 5, 0)}


ALONE, PACKED = shifted(bert_test.ALONE), shifted(bert_test.PACKED)


@pytest.fixture(params=NAMES)
def family(request):
    keras.utils.set_random_seed(1)
    return request.param


def test_packed_rows_give_each_example_what_it_gets_alone(family):
    encoder = FAMILIES[family].encoder(**settings_of(family))
    alone, packed = to_numpy(encoder(ALONE)), to_numpy(encoder(PACKED))
    assert_close(packed["sequence_output"][0, :5], alone["sequence_output"][0])
    assert_close(packed["sequence_output"][0, 5:8], alone["sequence_output"][1, :3])
    assert_close(packed["pooled_output"][0], alone["pooled_output"])


def test_the_last_block_computes_the_selected_positions(family):
    encoder = FAMILIES[family].encoder(**settings_of(family))
    for inputs in (ALONE, PACKED):
        whole = to_numpy(encoder(inputs))
        positions = np.array([[4, 1, 1]] * len(inputs["input_ids"]))
        part = to_numpy(encoder(inputs, positions=positions))
        assert_close(part["sequence_output"], np.take_along_axis(whole["sequence_output"], positions[..., None], 1))
        assert_close(part["pooled_output"], whole["pooled_output"])
        assert_close(to_numpy(encoder(inputs, cls_only=True))["pooled_output"], whole["pooled_output"])


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_blocks_of_different_sizes_are_packed_and_compute_what_is_selected(family):
    settings = settings_of(family)
    layers = range(settings["num_layers"])
    sizes = {"layer_heads": [1 + i % 2 for i in layers], "layer_intermediate_sizes": [3 + i for i in layers]}
    encoder = FAMILIES[family].encoder(**settings | sizes)
    assert [block.attention.query.kernel.shape[1] // 4 for block in encoder.blocks] == sizes["layer_heads"]
    assert [block.output_dense.kernel.shape[0] for block in encoder.blocks] == sizes["layer_intermediate_sizes"]
    alone, packed = to_numpy(encoder(ALONE)), to_numpy(encoder(PACKED))
    assert_close(packed["pooled_output"][0], alone["pooled_output"])
    positions = np.array([[4, 1, 1]])
    part = to_numpy(encoder(PACKED, positions=positions))["sequence_output"]
    assert_close(part, np.take_along_axis(packed["sequence_output"], positions[..., None], 1))
    without_dropout = {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    twin = FAMILIES[family].encoder(**settings | sizes | without_dropout)
    twin.assign(encoder.to_weights())
    twin.remat = True
    assert_close(to_numpy(twin(PACKED, training=True))["sequence_output"], packed["sequence_output"])


def test_positions_and_order_matter(family):
    encoder = FAMILIES[family].encoder(**settings_of(family))
    one, two = bert_test.batch([6, 7, 8, 9]), bert_test.batch([7, 6, 8, 9])
    difference = to_numpy(encoder(one))["sequence_output"] - to_numpy(encoder(two))["sequence_output"]
    assert np.abs(difference[0, 3]).max() > 1e-3


def test_rematerialization_gives_the_same_gradients(family):
    settings = settings_of(family) | {"hidden_dropout": 0.0, "attention_dropout": 0.0}
    model = BertPretrainer(encoder=family, **settings)
    inputs = PACKED | {"masked_lm_positions": np.array([[1, 3, 7, 5]])}
    results = []
    for remat in (False, True):
        model.encoder.remat = remat
        results.append(
            loss_and_gradients(model, lambda: ops.sum(model(inputs, training=True)["masked_lm_logits"] ** 2))
        )
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-5)
    for name, gradient in results[0][1].items():
        assert_close(results[1][1][name], gradient, 1e-4 * max(1, np.abs(gradient).max()))
    reached = [name for name, gradient in results[0][1].items() if np.abs(gradient).max() > 0]
    in_blocks = [name for name in results[0][1] if "block_" in name and "key/bias" not in name]
    assert set(in_blocks) <= set(reached)


def test_pretraining_lowers_the_loss(family):
    model = BertPretrainer(encoder=family, **settings_of(family))
    model.compile(keras.optimizers.Adam(0.01), next_sentence=False)
    inputs = PACKED | {"masked_lm_positions": np.array([[1, 3, 7, 5]])}
    targets = {"masked_lm_logits": np.array([[7, 9, 13, 11]])}
    losses = [model.train_on_batch(inputs, targets)[0] for _ in range(20)]
    assert losses[-1] < 0.75 * losses[0]


def test_a_mask_left_out_is_that_of_the_padding(family):
    encoder = FAMILIES[family].encoder(**settings_of(family))
    padding = encoder.config.padding_id
    assert padding == {"roberta": 1, "xlm_roberta": 1}.get(family, 0)
    inputs = ALONE | {"input_ids": np.where(ALONE["input_mask"] == 1, ALONE["input_ids"], padding)}
    without = {name: value for name, value in inputs.items() if name != "input_mask"}
    expected, actual = to_numpy(encoder(inputs)), to_numpy(encoder(without))
    np.testing.assert_array_equal(actual["sequence_output"], expected["sequence_output"])


def test_segments_are_read_only_where_a_family_has_them(family):
    encoder = FAMILIES[family].encoder(**settings_of(family))
    other = ALONE | {"segment_ids": 1 - ALONE["segment_ids"]}
    difference = np.abs(to_numpy(encoder(ALONE))["pooled_output"] - to_numpy(encoder(other))["pooled_output"]).max()
    assert (difference > 1e-4) == (family in ("albert", "bert", "electra"))


@pytest.mark.parametrize("packed", [False, True])
def test_attention_in_chunks_is_attention_in_a_window(monkeypatch, packed):
    keras.utils.set_random_seed(3)
    settings = settings_of("modernbert") | {"max_positions": 64, "local_window": 10, "attention_dropout": 0.0}
    model = BertPretrainer(encoder="modernbert", **settings)
    rng = np.random.default_rng(0)
    inputs = {"input_ids": rng.integers(5, 30, (2, 37)), "input_mask": np.ones((2, 37), "int32")}
    inputs["input_mask"][1, 30:] = 0
    inputs |= {"segment_ids": np.zeros((2, 37), "int32"), "masked_lm_positions": np.array([[1, 30], [0, 29]])}
    if packed:
        inputs |= {
            "example_ids": np.repeat([[1, 2, 3]], [20, 10, 7], axis=1).repeat(2, 0) * inputs["input_mask"],
            "position_ids": np.concatenate([np.arange(20), np.arange(10), np.arange(7)])[None].repeat(2, 0),
            "cls_positions": np.array([[0, 20, 30]] * 2),
        }
    results = []
    for shortest in (256, 0):
        monkeypatch.setattr("bert_tf.modeling.families.modernbert._LONG", shortest)
        outputs = to_numpy(model.encoder(inputs))["sequence_output"]
        loss = loss_and_gradients(model, lambda: ops.sum(model(inputs, training=True)["masked_lm_logits"] ** 2))
        results.append((outputs, loss))
    real = inputs["input_mask"] == 1
    assert_close(results[1][0][real], results[0][0][real])
    for name, gradient in results[0][1][1].items():
        assert_close(results[1][1][1][name], gradient, 1e-4 * max(1, np.abs(gradient).max()))


def test_rotary_scores_depend_on_distances():
    rng = np.random.default_rng(1)
    query, key = rng.normal(size=(2, 1, 1, 1, 6)).astype("float32")

    def score(i, j):
        turned = [
            rotate(x, *rotations(ops.convert_to_tensor([place]), 6, 100.0)) for x, place in ((query, i), (key, j))
        ]
        return float(ops.sum(turned[0] * turned[1]))

    assert score(3, 1) == pytest.approx(score(10, 8), abs=1e-5)
    assert score(0, 0) == pytest.approx(float(np.sum(query * key)), abs=1e-5)
    assert abs(score(3, 1) - score(1, 3)) > 1e-3
    cosine, _ = rotations(ops.convert_to_tensor([2]), 6, 1000.0)
    assert_close(ops.convert_to_numpy(cosine)[0], np.cos([2, 0.2, 0.02]))
