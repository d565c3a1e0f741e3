"""Pseudo-log-likelihoods of pairs of sentences against a plain computation."""

import keras
import numpy as np
import pytest

from bert_tf.core.errors import InputError
from bert_tf.evaluation.stereotypes import PairScores, score_pairs, stereotype_share
from bert_tf.tasks import FillMask
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return FillMask(Tokenizer(VOCABULARY), max_length=8, **SIZES | {"initializer_range": 0.5})


def plain(model, words, changed):
    """The sum over all words but the changed one, a row at a time."""
    tokenizer, total = model.tokenizer, 0.0
    ids = [tokenizer.cls_id, *(VOCABULARY.index(word) for word in words), tokenizer.sep_id]
    for place in range(1, len(ids) - 1):
        if place == changed:
            continue
        row = np.array([ids])
        row[0, place] = tokenizer.mask_id
        ones = np.ones_like(row)
        inputs = {"input_ids": row, "input_mask": ones, "segment_ids": 0 * row}
        inputs["masked_lm_positions"] = np.array([[place]])
        logits = np.array(model(inputs, training=False))[0, 0, : len(VOCABULARY)].astype("float64")
        total += logits[ids[place]] - np.log(np.exp(logits).sum())
    return total


def test_scores_are_those_of_the_words_in_common(model):
    pairs = [("the film is good", "the film is not good"), ("good film", "bad film")]
    changed = [(None, 4), (1, 1)]  # the words that the other sentence lacks
    found = list(score_pairs(model, pairs))
    for pair, scores, words in zip(pairs, found, changed, strict=True):
        for text, score, word in zip(pair, (scores.more, scores.less), words, strict=True):
            assert score == pytest.approx(plain(model, text.split(), word), abs=1e-4)
    assert found[0].more != found[0].less


def test_share():
    assert stereotype_share([PairScores(-1, -2), PairScores(-3, -2), PairScores(-1, -4), PairScores(0, -1)]) == 0.75


def test_pairs_that_cannot_be_compared(model):
    with pytest.raises(InputError, match="Pair 1: 'good' and 'bad' have no token in common"):
        list(score_pairs(model, [("good film", "bad film"), ("good", "bad")]))
    with pytest.raises(InputError, match="Pair 0: .* has more than the model's 8 tokens"):
        list(score_pairs(model, [("the film " * 8, "the acting " * 8)]))
