"""Rows as the encoder reads them, worked by hand."""

import pytest
import tensorflow as tf

from bert_tf.text.input_packing import pack
from bert_tf.text.tokenizers.base import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]  # a = 5


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(VOCABULARY)


def rows(packed):
    return {name: value.numpy().tolist() for name, value in packed.items()}


def test_one_text(tokenizer):
    packed = rows(pack(tokenizer, [tf.constant(["a b", "c", ""])], max_length=8))
    assert packed["input_ids"] == [[2, 5, 6, 3], [2, 7, 3, 0], [2, 3, 0, 0]]
    assert packed["input_mask"] == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0]]
    assert packed["segment_ids"] == [[0] * 4] * 3


def test_pair_with_fixed_length(tokenizer):
    packed = rows(pack(tokenizer, [tf.constant(["a"]), tf.constant(["b c"])], max_length=8, length=8))
    assert packed["input_ids"] == [[2, 5, 3, 6, 7, 3, 0, 0]]
    assert packed["segment_ids"] == [[0, 0, 0, 1, 1, 1, 0, 0]]
    assert packed["input_mask"] == [[1, 1, 1, 1, 1, 1, 0, 0]]


def test_one_text_is_cut_at_its_end(tokenizer):
    assert rows(pack(tokenizer, [tf.constant(["a b c d"])], max_length=4))["input_ids"] == [[2, 5, 6, 3]]


def google_truncation(first, second, budget):
    """`_truncate_seq_pair` as its paper describes it: a piece at a time from the longer, from the second if equal."""
    first, second = list(first), list(second)
    while len(first) + len(second) > budget:
        (first if len(first) > len(second) else second).pop()
    return first, second


@pytest.mark.parametrize("max_length", range(5, 14))
def test_pairs_are_cut_as_google_does(tokenizer, max_length):
    texts = [
        ("a b c d e"[: 2 * i - 1 if i else 0], "f g h a b"[: 2 * j - 1 if j else 0]) for i in range(6) for j in range(6)
    ]
    packed = pack(tokenizer, [tf.constant([a for a, _ in texts]), tf.constant([b for _, b in texts])], max_length)
    for (a, b), ids, mask in zip(texts, packed["input_ids"].numpy(), packed["input_mask"].numpy(), strict=True):
        first, second = google_truncation(*(tokenizer(text).numpy() for text in (a, b)), max_length - 3)
        assert ids[: mask.sum()].tolist() == [2, *first, 3, *second, 3]


def test_an_absent_second_text_leaves_the_first_alone(tokenizer):
    """No [SEP] of its own, and no piece of the length lost to it."""
    packed = rows(pack(tokenizer, [tf.constant(["a b c d", "a"]), tf.constant(["", "b"])], 5, optional=True))
    assert packed["input_ids"] == [[2, 5, 6, 7, 3], [2, 5, 3, 6, 3]]
    assert packed["segment_ids"] == [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]


def test_of_a_huge_text_the_beginning_is_read(tokenizer):
    """Also where the cut falls into a character."""
    texts = tf.constant(["a b 文" + " ä" * 10**6, "x" * 10**6])
    assert rows(pack(tokenizer, [texts], 6))["input_ids"] == [[2, 5, 6, 1, 5, 3], [2, 1, 3, 0, 0, 0]]


def test_same_in_a_dataset(tokenizer):
    texts = ["a b", "c d e", ""]
    data = tf.data.Dataset.from_tensor_slices(texts).batch(3).map(lambda text: pack(tokenizer, [text], 8))
    assert rows(next(iter(data))) == rows(pack(tokenizer, [tf.constant(texts)], 8))
