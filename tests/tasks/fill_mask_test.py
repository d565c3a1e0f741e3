"""Filling masks with a model whose answer is known."""

import numpy as np
import pytest

from bert_tf.errors import InputError
from bert_tf.modeling.pretrainer import BertPretrainer
from bert_tf.tasks.fill_mask import fill_mask
from bert_tf.text.tokenizer import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]


@pytest.fixture(scope="module")
def model():
    return BertPretrainer(
        vocab_size=8, hidden_size=8, num_layers=1, num_heads=2, intermediate_size=16, max_positions=12
    )


@pytest.fixture(scope="module")
def tokenizer():
    from bert_tf.config import TextConfig

    return Tokenizer(VOCABULARY, TextConfig(special_tokens=True))


def test_best_pieces_come_first(model, tokenizer):
    # A bias far above every score decides the answer.
    model.masked_lm.bias.assign(np.array([0, 0, 0, 0, 0, 20, 40, 30], "float32"))
    (filled,) = fill_mask(model, tokenizer, ["a [MASK] c"], top_k=3)
    assert [piece for piece, _ in filled] == ["b", "c", "a"]
    assert filled[0][1] == pytest.approx(1, abs=1e-3)


def test_it_reads_the_position_of_the_mask(model, tokenizer):
    """The same scores as the model gives for every position, taken at the mask's."""
    model.masked_lm.bias.assign(np.zeros(8, "float32"))
    ids = np.array([[2, 5, 7, 4, 3]])
    every = model(
        {
            "input_ids": ids,
            "input_mask": np.ones_like(ids),
            "segment_ids": np.zeros_like(ids),
            "masked_lm_positions": np.arange(5)[None],
        }
    )["masked_lm_logits"][0, 3].numpy()
    (filled,) = fill_mask(model, tokenizer, ["a c [MASK]"], top_k=8)
    expected = np.exp(every) / np.exp(every).sum()
    assert [piece for piece, _ in filled] == [VOCABULARY[i] for i in np.argsort(-expected)]
    np.testing.assert_allclose([p for _, p in filled], np.sort(expected)[::-1], rtol=1e-4)


def test_text_without_mask(model, tokenizer):
    with pytest.raises(InputError, match=r"'a b'.*\[MASK\]"):
        fill_mask(model, tokenizer, ["a [MASK]", "a b"])
