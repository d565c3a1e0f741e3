"""Models go into a folder and come back: weights, settings, vocabulary, and what happens to missing parts."""

import dataclasses
import json
import logging
import types

import keras
import numpy as np
import pytest

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.pretrained import Pretrained
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.weights import read_model, read_task, write_model

SIZES = {
    "vocab_size": 7,
    "hidden_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "intermediate_size": 12,
    "max_positions": 6,
    "activation": "gelu_tanh",
    "layer_norm_epsilon": 1e-6,
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Größe", "##n"]


def tokenizer(**settings):
    return types.SimpleNamespace(vocabulary=VOCABULARY, config=TextConfig(**settings))


def assert_same_weights(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name)


class Classifier(Pretrained, keras.Model):
    """A head of another task, as the package's task models have it."""

    def __init__(self, name=None, dtype=None, trainable=True, num_labels=3, encoder="bert", **settings):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.encoder = FAMILIES[encoder].encoder(dtype=dtype, **settings)
        self.config = self.encoder.config
        self.classifier = keras.layers.Dense(num_labels, name="classifier")
        self.classifier.build((None, self.config.hidden_size))
        self.built = True

    def call(self, inputs, training=None):
        return self.classifier(self.encoder(inputs, training=training)["pooled_output"])


@pytest.mark.parametrize("model_class", [BertEncoder, BertPretrainer, Classifier])
def test_save_and_open_is_bit_equal(tmp_path, model_class):
    model = model_class(**SIZES)
    model.save_pretrained(tmp_path / "model", tokenizer(lower_case=False))
    opened = model_class.from_pretrained(tmp_path / "model")
    assert opened.config == model.config
    assert_same_weights(opened.to_weights(), model.to_weights())


@pytest.mark.parametrize("model_class", [BertEncoder, BertPretrainer, Classifier])
def test_keras_and_the_folder_write_the_same_weights_file(tmp_path, model_class):
    model, other, third = (model_class(name=name, **SIZES) for name in ("one", "two", "three"))
    model.save_pretrained(tmp_path / "model")
    other.load_weights(tmp_path / "model" / "model.weights.h5")
    model.save_weights(tmp_path / "keras.weights.h5")
    (tmp_path / "keras.weights.h5").replace(tmp_path / "model" / "model.weights.h5")
    third.assign(read_model(tmp_path / "model").weights)
    assert_same_weights(other.to_weights(), model.to_weights())
    assert_same_weights(third.to_weights(), model.to_weights())


def test_vocabulary_casing_and_task_are_saved_again(tmp_path):
    task = {"name": "classification", "labels": ["schlecht", "gut"]}
    BertEncoder(**SIZES).save_pretrained(tmp_path / "one", tokenizer(max_word_chars=100), task)
    BertEncoder.from_pretrained(tmp_path / "one").save_pretrained(tmp_path / "two")
    checkpoint = read_model(tmp_path / "two")
    assert checkpoint.vocabulary == VOCABULARY
    assert checkpoint.text == TextConfig(max_word_chars=100)
    assert checkpoint.task == read_task(tmp_path / "two") == task


def test_settings_of_the_head_come_back(tmp_path):
    model = BertPretrainer(masked_lm_activation="relu", masked_lm_epsilon=1e-3, **SIZES)
    model.save_pretrained(tmp_path / "one")
    opened = BertPretrainer.from_pretrained(tmp_path / "one")
    assert opened.get_config() | {"name": model.name} == model.get_config()
    assert opened.masked_lm.norm.epsilon == 1e-3


def test_names_do_not_depend_on_the_models_names():
    names = BertPretrainer(name="encoder", **SIZES).named_weights.keys()
    assert names == BertPretrainer(**SIZES).named_weights.keys()
    assert BertEncoder(name="bert", **SIZES).named_weights.keys() <= names
    assert {"encoder/block_1/output_norm/gamma", "masked_lm/bias", "next_sentence/kernel"} <= names


def test_a_head_that_the_folder_lacks_starts_fresh_and_is_said(tmp_path, caplog):
    encoder = BertEncoder(**SIZES)
    encoder.save_pretrained(tmp_path / "model")
    with caplog.at_level(logging.WARNING, "absl"):
        model = Classifier.from_pretrained(tmp_path / "model", num_labels=5)
    assert [record.getMessage() for record in caplog.records] == [
        "Not taken from the checkpoint, so the model starts with fresh ones: classifier."
    ]
    assert model.classifier.kernel.shape == (8, 5)
    np.testing.assert_array_equal(model.encoder.pooler.kernel, encoder.pooler.kernel)


def test_a_weight_without_a_row_is_not_lost_in_silence(tmp_path):
    model = BertEncoder(**SIZES)
    model.save_pretrained(tmp_path / "model")
    strange = dataclasses.replace(model.to_checkpoint(), weights=model.to_weights() | {"new_head/table": np.ones(2)})
    with pytest.raises(ValueError, match="new_head/table would be lost"):
        write_model(strange, tmp_path / "model", overwrite=True)
    BertEncoder.from_pretrained(tmp_path / "model")


def test_missing_weights_of_the_encoder_are_listed():
    model = BertEncoder(**SIZES)
    weights = model.to_weights()
    del weights["encoder/block_1/attention/key/bias"], weights["encoder/embeddings/norm/beta"]
    with pytest.raises(InputError, match=r"lacks 2 .*embeddings/norm/beta.*block_1/attention/key/bias"):
        model.assign(weights)


def test_a_wrong_shape_is_said():
    weights = BertEncoder(**SIZES).to_weights()
    with pytest.raises(InputError, match=r"encoder/embeddings/token/embeddings has shape \(7, 8\).* \(9, 8\)"):
        BertEncoder(**SIZES | {"vocab_size": 9}).assign(weights)


def test_an_existing_folder_is_kept_unless_asked(tmp_path):
    model = BertEncoder(**SIZES)
    model.save_pretrained(tmp_path / "model")
    before = (tmp_path / "model" / "model.weights.h5").read_bytes()
    other = BertEncoder(**SIZES)
    with pytest.raises(InputError, match="exists"):
        other.save_pretrained(tmp_path / "model")
    assert (tmp_path / "model" / "model.weights.h5").read_bytes() == before
    other.save_pretrained(tmp_path / "model", overwrite=True)
    opened = BertEncoder.from_pretrained(tmp_path / "model")
    np.testing.assert_array_equal(opened.pooler.kernel, other.pooler.kernel)


def test_config_json_says_what_the_model_is(tmp_path):
    BertEncoder(**SIZES).save_pretrained(tmp_path / "model", tokenizer(lower_case=False))
    settings = json.loads((tmp_path / "model" / "config.json").read_text())
    fields = dataclasses.asdict(BertEncoder(**SIZES).config)
    assert settings["encoder"] == {name: value for name, value in fields.items() if value is not None}
    assert settings["text"]["lower_case"] is False


@pytest.mark.parametrize("model_class", [BertEncoder, BertPretrainer])
def test_get_config_round_trip(model_class):
    model = model_class(dtype="mixed_bfloat16", **SIZES)
    again = model_class.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in model.weights]


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_weights_that_the_dtype_cannot_hold_are_refused(tmp_path, dtype):
    encoder = BertEncoder(**SIZES)
    encoder.pooler.kernel.assign(np.full((8, 8), 1e5))
    encoder.save_pretrained(tmp_path / "model")
    with pytest.raises(InputError, match=r"encoder/pooler/kernel has numbers up to 1e\+05, which float16 cannot hold"):
        BertEncoder.from_pretrained(tmp_path / "model", dtype=dtype)
    for wide in ("float32", "bfloat16", "mixed_bfloat16"):
        BertEncoder.from_pretrained(tmp_path / "model", dtype=wide)
