"""Attention probabilities of the tokens that a model reads, against the encoder's own weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.export.attention import MAX_TOKENS, attention
from bert_tf.export.saved_model import export_saved_model
from bert_tf.export.signatures import signatures
from bert_tf.tasks import QuestionAnswerer, TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.export.conftest import ENCODER, VOCABULARY

TEXTS = ["A goodly Café", "bad", ""]


def make(**settings):
    keras.utils.set_random_seed(4)
    settings = ENCODER | {"num_layers": 2, "initializer_range": 0.2} | settings
    return TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], **settings)


def test_tokens_and_attention_without_padding():
    found = attention(make(), [tf.constant(TEXTS)])
    assert found["pieces"].numpy().tolist() == [
        [b"[CLS]", b"[UNK]", b"good", b"##ly", b"cafe", b"[SEP]"],
        [b"[CLS]", b"bad", b"[SEP]", b"", b"", b""],
        [b"[CLS]", b"[SEP]", b"", b"", b"", b""],
    ]
    assert found["texts"].numpy()[0].tolist() == [b"[CLS]", b"[UNK]", b"good", b"ly", b"cafe", b"[SEP]"]
    assert found["words"].numpy().tolist() == [[-1, 0, 1, 1, 2, -1], [-1, 0, -1, -1, -1, -1], [-1] * 6]
    shares = found["attention"].numpy()
    assert shares.shape == (3, 2, 6, 6)
    real = found["pieces"].numpy() != b""
    np.testing.assert_allclose(shares.sum(-1), np.broadcast_to(real[:, np.newaxis], (3, 2, 6)), atol=1e-6)
    assert not shares[np.broadcast_to(~real[:, np.newaxis, np.newaxis], shares.shape)].any()
    alone = attention(make(), [tf.constant(TEXTS[1:2])])["attention"]
    np.testing.assert_allclose(shares[1:2, :, :3, :3], alone, atol=1e-6)


def test_mean_of_heads_from_queries_and_keys():
    model = make()
    rows = model.preprocessor(tf.constant(TEXTS[:1]))
    states = model.encoder(rows, training=False, all_outputs=True)["hidden_states"]
    found = attention(model, [tf.constant(TEXTS[:1])])["attention"][0]
    for layer, block in enumerate(model.encoder.blocks):
        query, key = (_dense(part, states[layer][0]) for part in (block.attention.query, block.attention.key))
        heads = [_softmax(query[:, half] @ key[:, half].T / 32**0.5) for half in (slice(0, 32), slice(32, 64))]
        assert np.abs(heads[0] - heads[1]).max() > 0.01
        np.testing.assert_allclose(found[layer], np.mean(heads, 0), atol=1e-5)


def test_the_encoders_output_follows_from_it():
    model = make(num_heads=1)
    rows = model.preprocessor(tf.constant(TEXTS[:1]))
    outputs = model.encoder(rows, training=False, all_outputs=True)
    x = outputs["hidden_states"][0][0].numpy()
    layers = attention(model, [tf.constant(TEXTS[:1])])["attention"][0]
    for shares, block in zip(layers, model.encoder.blocks, strict=True):
        attended = shares.numpy() @ _dense(block.attention.value, x)
        x = _norm(x + _dense(block.attention.output_dense, attended))
        hidden = tf.nn.gelu(_dense(block.intermediate, x), approximate=False)
        x = _norm(x + _dense(block.output_dense, hidden))
    np.testing.assert_allclose(x, outputs["sequence_output"][0], atol=1e-5)


def _dense(layer, x):
    return np.asarray(x) @ layer.kernel.numpy() + layer.bias.numpy()


def _norm(x):
    return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)  # a fresh model has gamma 1, beta 0


def _softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_signatures_only_on_request(tmp_path):
    model = make()
    assert not {"attention", "attention_pair"} & signatures(model).keys()
    path, _ = export_saved_model(model, tmp_path, TEXTS, attention=True)
    loaded = tf.saved_model.load(str(path)).signatures
    assert set(loaded) == {
        "serving_default", "pair", "tokens", "logits", "examples", "attention", "attention_pair"
    }  # fmt: skip
    texts, others = tf.constant(TEXTS), tf.constant(["good", "", "bad"])
    expected = attention(model, [texts])
    found = loaded["attention"](text=texts)
    assert found["pieces"].numpy().tolist() == expected["pieces"].numpy().tolist()
    np.testing.assert_allclose(found["attention"], expected["attention"], atol=1e-5)
    pieces = loaded["attention_pair"](text=texts, text_pair=others)["pieces"].numpy()
    assert pieces[1].tolist() == [b"[CLS]", b"bad", b"[SEP]"] + [b""] * 5  # no second text
    assert pieces[2, :4].tolist() == [b"[CLS]", b"[SEP]", b"bad", b"[SEP]"]
    assert "`attention_pair`" in (path / "README.md").read_text()


def test_words_are_counted_over_both_texts():
    model = make()
    words = attention(model, [tf.constant(["good bad"]), tf.constant(["goodly bad"])])["words"]
    assert words.numpy().tolist() == [[-1, 0, 1, -1, 2, 2, 3, -1]]


def test_long_texts_are_cut():
    model = QuestionAnswerer(Tokenizer(VOCABULARY), max_length=140, **ENCODER | {"max_positions": 140})
    found = attention(model, [tf.constant(["good"]), tf.constant(["bad " * 200])])
    assert found["attention"].shape == (1, 1, MAX_TOKENS, MAX_TOKENS)
    assert found["pieces"][0, :4].numpy().tolist() == [b"[CLS]", b"good", b"[SEP]", b"bad"]


def test_a_recurrent_encoder_has_none(tmp_path):
    sizes = {name: value for name, value in ENCODER.items() if name != "intermediate_size"}
    model = TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], encoder="bilstm", **sizes)
    with pytest.raises(ConfigError, match="The encoder bilstm has no attention. Leave --attention out."):
        export_saved_model(model, tmp_path / "name", TEXTS, attention=True)
    assert not (tmp_path / "name").exists()
