"""Embedding rows follow their tokens and positions."""

import dataclasses

import numpy as np
import pytest

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.text.tokenizers.vocabulary import Vocabulary
from bert_tf.weights import read_model, write_model
from bert_tf.weights.resize import (
    BIAS,
    POSITIONS,
    TOKENS,
    add_tokens,
    change_vocabulary,
    extend_positions,
    resize_vocabulary,
    trim_vocabulary,
)
from tests.weights.samples import VOCABULARY, make


@pytest.fixture
def checkpoint():
    weights = {
        POSITIONS: np.array([[1, 2], [3, 4], [5, 6]], "float32"),
        TOKENS: np.array([[0, 0], [1, 2], [2, 4], [5, 6]], "float32"),
        BIAS: np.array([4, 0, 0, 0], "float32"),
    }
    made = make("encoder", ["[UNK]", "a", "b", "c"], vocab_size=4, max_positions=3)
    return dataclasses.replace(made, weights=weights)


def test_new_positions_repeat_the_old(checkpoint):
    longer = extend_positions(checkpoint, 5)
    np.testing.assert_array_equal(longer.weights[POSITIONS], [[1, 2], [3, 4], [5, 6], [1, 2], [3, 4]])
    assert longer.encoder.max_positions == 5
    np.testing.assert_array_equal(extend_positions(checkpoint, 1).weights[POSITIONS], [[1, 2]])
    assert checkpoint.weights[POSITIONS].shape == (3, 2)
    with pytest.raises(ConfigError):
        extend_positions(checkpoint, 0)


def test_new_tokens_get_the_mean(checkpoint):
    larger = add_tokens(checkpoint, ["d", "a", "d"])
    assert larger.vocabulary == ["[UNK]", "a", "b", "c", "d"]
    assert larger.encoder.vocab_size == 5
    np.testing.assert_array_equal(larger.weights[TOKENS], [[0, 0], [1, 2], [2, 4], [5, 6], [2, 3]])
    np.testing.assert_array_equal(larger.weights[BIAS], [4, 0, 0, 0, 1])


def test_tokens_keep_their_rows_in_another_order(checkpoint):
    changed = change_vocabulary(checkpoint, ["c", "new", "[UNK]"])
    np.testing.assert_array_equal(changed.weights[TOKENS], [[5, 6], [2, 3], [0, 0]])
    np.testing.assert_array_equal(changed.weights[BIAS], [0, 1, 4])
    with pytest.raises(InputError, match="twice"):
        change_vocabulary(checkpoint, ["a", "a"])


def test_rows_of_a_vocabulary_with_doubles_stay_where_they_are(checkpoint):
    doubled = dataclasses.replace(checkpoint, vocabulary=["[UNK]", "a", "", "a"])
    larger = add_tokens(doubled, ["d"])
    assert larger.vocabulary == ["[UNK]", "a", "", "a", "d"]
    np.testing.assert_array_equal(larger.weights[TOKENS], [[0, 0], [1, 2], [2, 4], [5, 6], [2, 3]])
    np.testing.assert_array_equal(resize_vocabulary(doubled, 3).weights[TOKENS], [[0, 0], [1, 2], [2, 4]])


def test_a_vocabulary_is_trimmed_to_the_tokens_of_texts():
    vocabulary = ["[unused0]", *VOCABULARY[:5], "un", "##see", "##seen", "##n", "a", "ab", "##c", "北", "x"]
    checkpoint = make("pretrainer", vocabulary, vocab_size=len(vocabulary))
    trimmed = trim_vocabulary(checkpoint, iter(["unseen", "北a"]))
    kept = [1, 2, 3, 4, 5, 6, 8, 10, 13]
    assert trimmed.vocabulary == [vocabulary[i] for i in kept] == [*VOCABULARY[:5], "un", "##seen", "a", "北"]
    assert trimmed.encoder.vocab_size == len(kept)
    np.testing.assert_array_equal(trimmed.weights[TOKENS], checkpoint.weights[TOKENS][kept])
    np.testing.assert_array_equal(trimmed.weights[BIAS], checkpoint.weights[BIAS][kept])
    text = dataclasses.replace(checkpoint.text, added_tokens=("x",))
    assert trim_vocabulary(dataclasses.replace(checkpoint, text=text), ["a"]).vocabulary == [*VOCABULARY[:5], "a", "x"]


def test_rare_words_are_spelled_with_shorter_tokens():
    vocabulary = [*VOCABULARY[:5], "ab", "abc", "a", "##c", "##b", "d", "##d", "北", "京"]
    texts = ["ab abc 北", "ab 北 京", "abd"]
    trimmed = trim_vocabulary(make("encoder", vocabulary, vocab_size=len(vocabulary)), texts, least=2)
    # "abc", "##d" and "京" occur once; "abc" is now "ab", "##c", and "abd" unknown.
    assert trimmed.vocabulary == [*VOCABULARY[:5], "ab", "a", "##c", "##b", "北"]
    with pytest.raises(ConfigError, match="Received: least=0"):
        trim_vocabulary(trimmed, texts, least=0)


def test_unknown_words_stay_unknown():
    # The longest match of "abc" begins with "ab" and finds no end; without "ab" it would be "a", "##bc".
    vocabulary = [*VOCABULARY[:5], "a", "ab", "##bc"]
    trimmed = trim_vocabulary(make("encoder", vocabulary, vocab_size=8), ["abc", "a", "bc abc", "xbc"])
    assert trimmed.vocabulary == [*VOCABULARY[:5], "a", "ab"]


def test_vocabularies_that_are_not_trimmed(checkpoint):
    with pytest.raises(InputError, match="no texts"):
        trim_vocabulary(checkpoint, [])
    other = Vocabulary(["<pad>", "<unk>"], "spiece.model", b"")
    with pytest.raises(InputError, match="spiece.model cannot be changed"):
        trim_vocabulary(dataclasses.replace(checkpoint, vocabulary=other), ["a"])


def test_a_decoder_keeps_its_start_its_end_and_its_padding(checkpoint):
    writer = dataclasses.replace(checkpoint, task={"start_id": 2, "end_id": 3, "pad_id": 0})
    expected = {"start_id": 1, "end_id": 0, "pad_id": 2}
    assert change_vocabulary(writer, ["c", "b", "[UNK]"]).task == expected
    with pytest.raises(InputError, match="lacks 'b', with which the model begins or ends"):
        change_vocabulary(writer, ["c", "[UNK]"])


def test_sizes(checkpoint):
    taken = dataclasses.replace(checkpoint, vocabulary=["[UNK]", "[unused1]", "b", "c"])
    assert resize_vocabulary(taken, 6).vocabulary == ["[UNK]", "[unused1]", "b", "c", "[unused0]", "[unused2]"]
    assert resize_vocabulary(checkpoint, 2).vocabulary == ["[UNK]", "a"]
    assert resize_vocabulary(checkpoint, 2).weights[TOKENS].shape == (2, 2)


def test_without_a_vocabulary_rows_cannot_be_told_apart(checkpoint):
    with pytest.raises(InputError, match="no vocabulary"):
        add_tokens(dataclasses.replace(checkpoint, vocabulary=None), ["d"])


def test_a_changed_checkpoint_is_whole(tmp_path):
    changed = add_tokens(extend_positions(make("pretrainer"), 9), ["neu"])
    write_model(changed, tmp_path / "model", "huggingface")
    opened = read_model(tmp_path / "model")
    assert opened.vocabulary == [*VOCABULARY, "neu"]
    assert (opened.encoder.vocab_size, opened.encoder.max_positions) == (12, 9)
