"""Features beside words: what the encoder makes of them, and what it refuses."""

import json

import keras
import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.layers.modalities.feature_embeddings import FeatureEmbeddings
from bert_tf.weights import read_model, write_model
from tests.modeling.families.bert_test import PACKED, SIZES, assert_close, batch, to_numpy

FEATURES = {"feature_size": 5, "feature_positions": (3, 4), "feature_types": 2}
ROWS = batch([1, 2, 3, 4], [5, 6])


def features_of(rows=2, count=3, mask=1):
    random = np.random.default_rng(0)
    return {
        "features": random.normal(size=(rows, count, 5)).astype("float32"),
        "feature_mask": np.full((rows, count), mask, "int32"),
        "feature_positions": random.integers(0, 3, (rows, count, 2)),
        "feature_types": np.tile(np.arange(count) % 2, (rows, 1)),
    }


def encoder_of(family="bert", **settings):
    keras.utils.set_random_seed(1)
    extra = {"embedding_size": 4} if family in ("albert", "electra") else {}
    return FAMILIES[family].encoder(**SIZES | FEATURES | extra | settings)


def test_the_sum_of_projection_positions_and_type_by_hand():
    layer = FeatureEmbeddings(2, 2, (2, 2), 2, layer_norm_epsilon=1e-12, dropout=0.0, initializer_range=0.02)
    layer.build()
    layer.projection.set_weights([np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.0, 1.0])])
    layer.position_0.set_weights([np.array([[0.0, 0.0], [1.0, 0.0]])])
    layer.position_1.set_weights([np.array([[0.0, 0.0], [0.0, 10.0]])])
    layer.type.set_weights([np.array([[0.0, 0.0], [0.0, 100.0]])])
    seen = []
    layer.norm.call = lambda x, residual, training=None: seen.append(to_numpy(x + residual)) or x + residual
    layer(np.array([[[3.0, 4.0], [3.0, 4.0]]], "float32"), np.array([[[0, 0], [1, 1]]]), np.array([[0, 1]]))
    assert_close(seen[0], [[[3, 9], [4, 119]]])


@pytest.mark.parametrize("family", ["bert", "albert", "distilbert", "electra", "roberta", "xlm_roberta"])
def test_words_alone_give_the_same_with_and_without_the_inputs(family):
    encoder = encoder_of(family)
    without, masked = to_numpy(encoder(ROWS)), to_numpy(encoder(ROWS | features_of(mask=0)))
    for name in ("sequence_output", "pooled_output"):
        assert_close(masked[name], without[name], 1e-6)
    assert masked["feature_output"].shape == (2, 3, 8)
    assert_close(
        to_numpy(encoder(ROWS | features_of(mask=0), cls_only=True))["pooled_output"], without["pooled_output"]
    )


def test_words_attend_to_features_their_places_and_kinds():
    encoder = encoder_of()
    given = features_of()
    base = to_numpy(encoder(ROWS | given))["pooled_output"]
    changes = {
        "features": given["features"] + 1,
        "feature_mask": given["feature_mask"] * [1, 1, 0],
        "feature_positions": (given["feature_positions"] + 1) % 3,
        "feature_types": 1 - given["feature_types"],
    }
    for name, value in changes.items():
        changed = to_numpy(encoder(ROWS | given | {name: value}))["pooled_output"]
        assert np.abs(changed - base).max() > 1e-3, name
    assert_close(to_numpy(encoder(ROWS | given, cls_only=True))["pooled_output"], base)
    positions = np.array([[2, 0], [1, 1]])
    whole = to_numpy(encoder(ROWS | given, all_outputs=True))
    assert [tuple(probs.shape) for probs in whole["attention_probs"]] == [(2, 2, 7, 7)] * 2
    part = to_numpy(encoder(ROWS | given, positions=positions))
    assert_close(part["sequence_output"], np.take_along_axis(whole["sequence_output"], positions[..., None], 1))


def test_what_may_be_left_out():
    given = features_of()
    encoder = encoder_of(feature_positions=(3,), feature_types=1)
    alone = to_numpy(encoder(ROWS | {"features": given["features"]}))["pooled_output"]
    whole = given | {"feature_positions": np.tile(np.arange(3), (2, 1)), "feature_types": np.zeros((2, 3), "int32")}
    assert_close(to_numpy(encoder(ROWS | whole))["pooled_output"], alone)


def test_what_is_refused():
    given = features_of()
    words, both = FAMILIES["bert"].encoder(**SIZES), encoder_of()
    with pytest.raises(InputError, match="takes words alone; its config has no feature_size"):
        words(ROWS | given)
    with pytest.raises(InputError, match="features with example_ids. Packed rows"):
        both(PACKED | features_of(rows=1))
    with pytest.raises(InputError, match="features 4 wide. This encoder's are 5"):
        both(ROWS | given | {"features": given["features"][..., :4]})
    with pytest.raises(InputError, match="feature_positions of no axes. This encoder's features have 2"):
        both(ROWS | {"features": given["features"]})
    with pytest.raises(InputError, match="feature_positions with 3"):
        both(ROWS | given | {"feature_positions": np.full((2, 3, 2), 3)})
    with pytest.raises(ConfigError, match="modernbert.* take words alone"):
        FAMILIES["modernbert"].encoder(**SIZES | FEATURES)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"feature_types": None}, "feature_types=None. Give all three"),
        ({"feature_positions": (3, 4, 5)}, "one axis or two"),
        ({"feature_positions": (0,)}, "one axis or two"),
        ({"feature_size": 0}, "must be from 1"),
        ({"feature_size": "5"}, "Give all three in whole numbers"),
    ],
)
def test_impossible_settings(settings, match):
    with pytest.raises(ConfigError, match=match):
        encoder_of(**settings)


def test_folders_hold_features_and_words_alone_stay_as_they_were(tmp_path):
    encoder = encoder_of()
    encoder.save_pretrained(tmp_path / "both")
    again = bert_tf.BertEncoder.from_pretrained(tmp_path / "both")
    assert again.config == encoder.config
    inputs = ROWS | features_of()
    assert_close(to_numpy(again(inputs))["pooled_output"], to_numpy(encoder(inputs))["pooled_output"], 0)
    with pytest.raises(InputError, match="The format huggingface cannot hold a model of words and features"):
        write_model(read_model(tmp_path / "both"), tmp_path / "other", "huggingface")
    FAMILIES["bert"].encoder(**SIZES).save_pretrained(tmp_path / "words")
    saved = json.loads((tmp_path / "words/config.json").read_text())["encoder"]
    assert not [name for name in saved if name.startswith("feature")]
    encoder.assign(bert_tf.BertEncoder.from_pretrained(tmp_path / "words").to_weights())  # features start fresh
