"""Masking: rates, what is never hidden, words kept whole, determinism, in eager code and in a graph."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import ConfigError
from bert_tf.text.masking import UNITS, Masker, MaskingConfig
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS

TOKENS = [*SPECIAL_TOKENS, "[unused0]", *(f"w{n}" for n in range(900)), *(f"##c{n}" for n in range(300))]
TOKENIZER = Tokenizer(TOKENS)
FIRST_WORD, FIRST_CONTINUATION = 6, 906


def random_rows(rows, length, seed=0):
    """Rows of many lengths with a [SEP] in the middle and at the end; a quarter of the pieces continue a word."""
    random = np.random.default_rng(seed)
    ids = random.integers(FIRST_WORD, len(TOKENS), (rows, length)).astype(np.int32)
    lengths = random.integers(12, length + 1, rows)
    mask = (np.arange(length) < lengths[:, None]).astype(np.int32)
    row = np.arange(rows)
    ids[:, 0], ids[row, lengths // 2], ids[row, lengths - 1] = 2, 3, 3
    return ids * mask, mask


def run(masking, rows=10_000, length=128, seed=(1, 2), **settings):
    ids, mask = random_rows(rows, length)
    masker = Masker(MaskingConfig(masking, **settings), TOKENIZER)
    return ids, mask, {name: value.numpy() for name, value in masker(ids, mask, list(seed)).items()}


def hidden_places(ids, out):
    hidden = np.zeros(ids.shape, bool)
    row, column = np.nonzero(out["masked_lm_weights"])
    hidden[row, out["masked_lm_positions"][row, column]] = True
    return hidden


@pytest.mark.parametrize("masking", UNITS)
def test_rates_over_half_a_million_tokens(masking):
    ids, mask, out = run(masking)
    hidden = hidden_places(ids, out)
    assert abs(hidden.sum() / mask.sum() - 0.15) < 0.002
    assert np.all(hidden.sum(1) <= np.clip(np.round(mask.sum(1) * 0.15), 1, 20))
    became = out["input_ids"][hidden]
    assert abs(np.mean(became == 4) - 0.8) < 0.002
    assert abs(np.mean(became == ids[hidden]) - 0.1) < 0.002
    np.testing.assert_array_equal(out["input_ids"][~hidden], ids[~hidden])


@pytest.mark.parametrize("masking", UNITS)
def test_special_tokens_are_neither_hidden_nor_put_in(masking):
    ids, _, out = run(masking, rows=2000)
    hidden = hidden_places(ids, out)
    assert not np.isin(ids[hidden], [0, 2, 3]).any()
    became = out["input_ids"][hidden]
    assert became[became != 4].min() >= FIRST_WORD  # neither special nor [unused]


def test_targets_and_positions_are_in_order_and_padded_with_zeros():
    ids, _, out = run("token", rows=500)
    real = out["masked_lm_weights"] == 1
    positions = out["masked_lm_positions"]
    assert np.all(np.diff(positions, axis=1)[real[:, 1:]] > 0)
    np.testing.assert_array_equal(out["masked_lm_ids"], np.where(real, np.take_along_axis(ids, positions, 1), 0))
    assert not positions[~real].any() and not out["masked_lm_weights"][~real].any()


@pytest.mark.parametrize("masking", ["whole_word", "ngram"])
def test_words_are_never_split(masking):
    ids, mask, out = run(masking)
    hidden = hidden_places(ids, out)
    inner = (ids >= FIRST_CONTINUATION)[:, 1:] & ~np.isin(ids[:, :-1], [2, 3]) & (mask[:, 1:] == 1)
    np.testing.assert_array_equal(hidden[:, 1:][inner], hidden[:, :-1][inner])
    assert (hidden[:, 1:] & inner).sum() > 1000


def test_a_word_is_hidden_in_one_way():
    ids, _, out = run("whole_word", rows=2000)
    hidden = hidden_places(ids, out)
    is_mask = out["input_ids"] == 4
    inner = (ids >= FIRST_CONTINUATION)[:, 1:] & hidden[:, 1:] & hidden[:, :-1] & ~np.isin(ids[:, :-1], [2, 3])
    np.testing.assert_array_equal(is_mask[:, 1:][inner], is_mask[:, :-1][inner])


def test_ngrams_make_longer_runs_than_words():
    def mean_run(masking):
        ids, _, out = run(masking, rows=2000)
        hidden = np.pad(hidden_places(ids, out), [(0, 0), (1, 0)])
        return hidden.sum() / (hidden[:, 1:] & ~hidden[:, :-1]).sum()

    assert mean_run("ngram") > 1.3 * mean_run("whole_word") > 1.3 * mean_run("token")


def test_every_place_is_hidden_equally_often():
    ids = np.full((20_000, 32), FIRST_WORD, np.int32)
    ids[:, 0], ids[:, -1] = 2, 3
    out = Masker(MaskingConfig(), TOKENIZER)(ids, np.ones_like(ids), [5, 6])
    rates = np.bincount(out["masked_lm_positions"].numpy()[out["masked_lm_weights"] > 0], minlength=32) / 20_000
    assert rates[0] == rates[-1] == 0
    assert np.abs(rates[1:-1] - 5 / 30).max() < 0.015  # round(0.15 * 32) of 30 places


def test_seed_decides_and_graph_and_eager_agree():
    ids, mask = random_rows(64, 40)
    masker = Masker(MaskingConfig("whole_word"), TOKENIZER)
    first = masker(ids, mask, [3, 4])
    again = tf.function(masker)(tf.constant(ids), tf.constant(mask), tf.constant([3, 4]))
    other = masker(ids, mask, [3, 5])
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert np.any(first["masked_lm_positions"] != other["masked_lm_positions"])


def test_rows_shorter_than_the_predictions():
    ids = np.array([[2, 7, 3], [2, 3, 0]], np.int32)
    out = Masker(MaskingConfig(), TOKENIZER)(ids, (ids > 0).astype(np.int32), [0, 0])
    assert out["masked_lm_positions"].shape == (2, 20)
    np.testing.assert_array_equal(out["masked_lm_weights"].numpy().sum(1), [1, 0])  # nothing to hide in "[CLS] [SEP]"


@pytest.mark.parametrize(
    "settings", [{"masking": "words"}, {"masked_lm_prob": 0.0}, {"max_predictions": 0}, {"max_ngram": 0}]
)
def test_settings_are_checked(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        MaskingConfig(**settings)


def test_a_vocabulary_without_mask_is_refused():
    with pytest.raises(ConfigError, match=r"no \[MASK\]"):
        Masker(MaskingConfig(), Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]))
