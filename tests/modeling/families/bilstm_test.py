"""The recurrent baseline: what padding may not change, and its folder."""

import keras
import numpy as np
import pytest

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.bilstm import BiLSTMEncoder
from bert_tf.tasks import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import write_model

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the", "is", "not"]
SIZES = {"vocab_size": 12, "hidden_size": 16, "num_layers": 2, "num_heads": 2}
IDS = np.array([[2, 5, 6, 7, 3, 0, 0], [2, 8, 9, 5, 6, 7, 3]], "int32")


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return BiLSTMEncoder(**SIZES)


def call(encoder, ids):
    return encoder({"input_ids": ids, "input_mask": np.asarray(ids != 0, "int32"), "segment_ids": 0 * ids})


def test_padding_changes_nothing(encoder):
    """Neither the backward pass, which meets it first, nor attention, nor the mean."""
    both, alone = call(encoder, IDS), call(encoder, IDS[:1, :5])
    np.testing.assert_allclose(both["sequence_output"][:1, :5], alone["sequence_output"], atol=1e-6)
    np.testing.assert_allclose(both["pooled_output"][:1], alone["pooled_output"], atol=1e-6)


def test_order_and_both_directions_matter(encoder):
    """The first token depends on the last, and the last on the first; a bag of tokens would give two equal rows."""
    vectors = call(encoder, IDS[1:])["sequence_output"][0]
    for place in (1, 5):
        changed = IDS[1:].copy()
        changed[0, place] = 11
        seen = np.abs(call(encoder, changed)["sequence_output"][0] - vectors).max(-1)
        assert seen.min() > 1e-6
    swapped = IDS[1:, [0, 2, 1, 3, 4, 5, 6]]
    assert np.abs(call(encoder, swapped)["pooled_output"] - call(encoder, IDS[1:])["pooled_output"]).max() > 1e-6


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tasks read strings in TensorFlow's graphs")
def test_classifier_learns_and_its_folder_opens(tmp_path):
    """The order alone tells these classes apart."""
    keras.utils.set_random_seed(1)
    model = TextClassifier(
        Tokenizer(VOCABULARY), ["x", "y"], max_length=12, encoder="bilstm", **SIZES | {"num_layers": 1}
    )
    model.compile(keras.optimizers.Adam(1e-2))
    texts, labels = ["good not bad", "bad not good", "film is the", "the is film"] * 4, ["x", "y", "x", "y"] * 4
    model.fit(texts, labels, epochs=20, batch_size=16, verbose=0)
    assert model.score(texts, labels)["accuracy"] == 1.0
    model.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert isinstance(loaded.encoder, BiLSTMEncoder)
    assert loaded.predict_text(texts) == model.predict_text(texts)
    loaded.classifier.kernel.assign(0 * loaded.classifier.kernel)
    loaded.load_weights(tmp_path / "model/model.weights.h5")  # Keras's own way
    assert loaded.predict_text(texts) == model.predict_text(texts)
    with pytest.raises(InputError, match="huggingface cannot hold an encoder of the family 'bilstm'. Choose bert_tf."):
        write_model(loaded.to_checkpoint(loaded.tokenizer), tmp_path / "hf", format="huggingface")


def test_settings():
    with pytest.raises(ConfigError, match="encoder family 'gru'"):
        TextClassifier(Tokenizer(VOCABULARY), ["x", "y"], encoder="gru", **SIZES)
    with pytest.raises(ConfigError, match="hidden_size=9"):
        BiLSTMEncoder(**SIZES | {"hidden_size": 9, "num_heads": 3})
