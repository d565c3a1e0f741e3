"""Google's next sentence procedure and its sisters, on text whose every piece tells where it comes from."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.core.features import IS_NEXT, IS_RANDOM
from bert_tf.data.pretraining.instances import Block, _truncated, make_rows, make_spans, with_separators
from bert_tf.text.tokenizers.base import Tokenizer

TOKENIZER = Tokenizer(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
CLS, SEP, PAD = 1, 2, 0


def numbered_block(documents, parts_of=lambda document: 1, seed=0):
    """A block whose pieces are numbered in order from 10; `documents` are lists of sentence lengths."""
    parts, owners = [], []
    for number, document in enumerate(documents):
        pieces = np.array_split(document, min(parts_of(number), len(document)))
        parts += pieces
        owners += [number] * len(pieces)
    sentences = np.concatenate(parts).astype(np.int32)
    tokens = np.arange(10, 10 + sentences.sum(), dtype=np.int32)
    return Block(tokens, sentences, np.array([len(part) for part in parts], np.int32), np.array(owners, np.int64))


def many_documents(count, seed=0, sentences=(1, 40), lengths=(1, 60)):
    rng = np.random.default_rng(seed)
    return [rng.integers(*lengths, rng.integers(*sentences)) for _ in range(count)]


def document_of(block, places):
    """Which document the piece at each place of `tokens` belongs to."""
    sentence = np.searchsorted(block.bounds, places, side="right") - 1
    return block.documents[np.searchsorted(block.part_bounds, sentence, side="right") - 1]


@pytest.fixture(scope="module")
def block():
    return numbered_block(many_documents(600), parts_of=lambda number: 1 + number % 3 // 2)


@pytest.fixture(scope="module")
def spans(block):
    return make_spans(block, "next_sentence", 125, 0.1, seed=7)


def test_half_of_the_pairs_are_random(spans):
    assert abs(np.mean(spans[:, 4] == IS_RANDOM) - 0.5) < 0.005


def test_a_random_second_is_never_of_the_same_document(block, spans):
    random_pairs = spans[spans[:, 4] == IS_RANDOM]
    first, second = document_of(block, random_pairs[:, 0]), document_of(block, random_pairs[:, 2])
    assert len(random_pairs) > 1900 and np.all(first != second)
    assert len(np.unique(second)) > 550  # they come from everywhere


def test_a_true_second_follows_at_once_in_the_same_document(block, spans):
    true_pairs = spans[spans[:, 4] == IS_NEXT]
    np.testing.assert_array_equal(true_pairs[:, 1], true_pairs[:, 2])
    np.testing.assert_array_equal(document_of(block, true_pairs[:, 0]), document_of(block, true_pairs[:, 3] - 1))


def test_segments_are_whole_sentences_inside_one_part(block, spans):
    assert np.isin(spans[:, :4], block.bounds).all()
    assert np.all(spans[:, 1] > spans[:, 0]) and np.all(spans[:, 3] > spans[:, 2])
    for begin, end in ((0, 1), (2, 3)):
        np.testing.assert_array_equal(document_of(block, spans[:, begin]), document_of(block, spans[:, end] - 1))


def test_left_over_sentences_are_put_back(block, spans):
    """Every piece of a document that can make pairs is used outside random seconds."""
    used = np.zeros(len(block.tokens), bool)
    for a0, a1, b0, b1, label in spans:
        used[a0:a1] = True
        used[b0:b1] |= label == IS_NEXT
    alone = np.repeat(np.repeat(block.part_lengths == 1, block.part_lengths), block.sentence_lengths)
    assert used[~alone].all() and not used[alone].any()


def test_a_tenth_of_the_pairs_aims_short():
    block = numbered_block([np.ones(20_000, int), np.ones(20_000, int)])  # sentences of one piece fill exactly
    spans = make_spans(block, "next_sentence", 125, 0.1, seed=1)
    true_pairs = spans[spans[:, 4] == IS_NEXT]
    short = np.mean(true_pairs[:, 3] - true_pairs[:, 0] < 125)
    assert abs(short - 0.1) < 0.03
    assert np.all(make_spans(block, "next_sentence", 125, 0.0, seed=1)[:-2, 3] > 0)


def test_the_seed_decides(block, spans):
    np.testing.assert_array_equal(spans, make_spans(block, "next_sentence", 125, 0.1, seed=7))
    assert len(spans) != len(other := make_spans(block, "next_sentence", 125, 0.1, seed=8)) or np.any(spans != other)


def test_long_sentences_stay_balanced():
    """Every sentence alone fills a row: Google's script would call every pair random."""
    block = numbered_block(many_documents(300, lengths=(150, 300)))
    spans = make_spans(block, "next_sentence", 125, 0.1, seed=3)
    assert abs(np.mean(spans[:, 4] == IS_RANDOM) - 0.5) < 0.01


@pytest.mark.parametrize("documents", [[[5, 6, 7]], [[4] * 30]])
def test_one_document_has_no_random_next(documents):
    block = numbered_block(documents, parts_of=lambda _: 2)
    with pytest.raises(InputError, match="one document"):
        make_spans(block, "next_sentence", 29, 0.1, seed=0)
    assert len(make_spans(block, "sentence_order", 29, 0.0, seed=0))


def test_sentence_order_swaps_half():
    block = numbered_block(many_documents(400))
    spans = make_spans(block, "sentence_order", 61, 0.1, seed=0)
    swapped = spans[:, 4] == IS_RANDOM
    assert abs(swapped.mean() - 0.5) < 0.005
    np.testing.assert_array_equal(spans[~swapped, 1], spans[~swapped, 2])
    np.testing.assert_array_equal(spans[swapped, 3], spans[swapped, 0])


def test_full_sentences_use_every_piece_once_and_fit():
    block = numbered_block(many_documents(300, lengths=(1, 90)))
    spans = make_spans(block, "none", 62, 0.1, seed=0)
    lengths = spans[:, 1] - spans[:, 0]
    assert lengths.max() <= 62
    used = np.concatenate([np.arange(begin, end) for begin, end in spans[:, :2]])
    np.testing.assert_array_equal(used, np.arange(len(block.tokens)))
    np.testing.assert_array_equal(document_of(block, spans[:, 0]), document_of(block, spans[:, 1] - 1))
    cut = spans[~np.isin(spans[:, 1], block.bounds), 1]
    sentence = np.searchsorted(block.bounds, cut, side="right") - 1
    assert block.sentence_lengths[sentence].min() > 62  # only sentences that no row can hold


def test_full_sentences_cross_documents_with_a_separator():
    block = numbered_block([[3, 2], [4], [2, 2], [5]], parts_of=lambda number: 1 + (number == 0))
    joined = with_separators(block, SEP)
    np.testing.assert_array_equal(
        joined.tokens, [*range(10, 15), SEP, *range(15, 19), SEP, *range(19, 23), SEP, *range(23, 28)]
    )
    spans = make_spans(joined, "full_sentences", 12, 0.0, seed=0)
    # 3 + 3 and 5 tokens; then 2 + 3 and 5: whole sentences of several documents, in their order.
    np.testing.assert_array_equal(spans[:, :2], [[0, 11], [11, 21]])
    rows = make_rows(joined.tokens, spans, 14, TOKENIZER, seed=0)
    assert rows["input_ids"][0].tolist() == [CLS, *range(10, 15), SEP, *range(15, 19), SEP, SEP, PAD]
    assert not rows["segment_ids"].any()


def test_truncation_is_that_of_the_step_by_step_procedure():
    a, b = np.meshgrid(np.arange(1, 60), np.arange(1, 60))
    a, b = a.ravel(), b.ravel()
    kept = np.stack(_truncated(a, b, 29), 1)
    for left, right, result in zip(a.tolist(), b.tolist(), kept.tolist(), strict=True):
        while left + right > 29:
            left, right = (left - 1, right) if left > right else (left, right - 1)
        assert [left, right] == result


def test_rows_by_hand():
    tokens = np.arange(10, 30, dtype=np.uint16)
    spans = np.array([[0, 3, 5, 7, IS_RANDOM], [10, 14, 14, 14, IS_NEXT], [0, 2, 2, 10, IS_NEXT]])
    rows = make_rows(tokens, spans, 8, TOKENIZER, seed=0)
    np.testing.assert_array_equal(rows["input_ids"][0], [CLS, 10, 11, 12, SEP, 15, 16, SEP])
    np.testing.assert_array_equal(rows["segment_ids"][0], [0, 0, 0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(rows["input_ids"][1], [CLS, 20, 21, 22, 23, SEP, PAD, PAD])
    np.testing.assert_array_equal(rows["input_mask"][1], [1, 1, 1, 1, 1, 1, 0, 0])
    assert not rows["segment_ids"][1].any()
    assert rows["input_ids"][2, :4].tolist() == [CLS, 10, 11, SEP]
    np.testing.assert_array_equal(np.diff(rows["input_ids"][2, 4:7]), 1)  # three neighbours of the eight
    np.testing.assert_array_equal(rows["next_sentence_labels"], [[1], [0], [0]])
    assert {array.dtype for array in rows.values()} == {np.dtype(np.int32)}


def test_truncation_takes_from_both_ends():
    spans = np.tile([[0, 100, 100, 102, IS_NEXT]], (4000, 1))
    rows = make_rows(np.arange(10, 200, dtype=np.int32), spans, 15, TOKENIZER, seed=0)
    cut_in_front = rows["input_ids"][:, 1] - 10
    assert abs(cut_in_front.mean() - 45) < 0.5 and abs(cut_in_front.std() - 90**0.5 / 2) < 0.3


def test_every_row_begins_and_ends_as_it_should(block, spans):
    rows = make_rows(block.tokens, spans, 128, TOKENIZER, seed=0)
    ids, lengths = rows["input_ids"], rows["input_mask"].sum(1)
    assert np.all(ids[:, 0] == CLS) and np.all(ids[np.arange(len(ids)), lengths - 1] == SEP)
    assert np.all((ids == SEP).sum(1) == 2) and np.all((ids == CLS).sum(1) == 1)
    assert np.all((ids != PAD) == (rows["input_mask"] == 1))
    assert lengths.max() == 128


@pytest.mark.parametrize("separators", [1, 2])
def test_rows_are_laid_out_as_the_tokenizer_joins_segments(monkeypatch, separators):
    monkeypatch.setattr(type(TOKENIZER), "SEPARATORS", separators)
    lengths = [(5, 3), (1, 1), (9, 0), (4, 6)]
    tokens = np.arange(10, 60, dtype=np.uint8)
    spans = [(k, k + a, k + a, k + a + b, 0) for k, (a, b) in enumerate(lengths)]
    rows = make_rows(tokens, np.array(spans), 16, TOKENIZER, seed=0)
    segments = [
        tf.ragged.stack([tokens[i:j].astype(np.int32) for i, j in ends])
        for ends in zip(*(((a, b), (c, d)) for a, b, c, d, _ in spans), strict=True)
    ]
    joined = TOKENIZER.join(segments, 16, present=[[1, 1, 1, 1], [1, 1, 0, 1]])
    for name, value in joined.items():
        np.testing.assert_array_equal(rows[name], value)
