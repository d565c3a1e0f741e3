"""The tokens of a WordPiece vocabulary that texts need."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers.vocabulary import CONTINUATION, UNK
from bert_tf.text.tokenizers.word_counts import batch_lines, count_words
from bert_tf.text.tokenizers.wordpiece import WordPieceTokenizer


def used_tokens(vocabulary: list[str], config: TextConfig, texts: Iterable[str], least: int = 1) -> set[str]:
    """The tokens without which a `WordPieceTokenizer` would split a text in another way; empty for no texts.

    They include those that begin a word which is unknown in the end: without them it might become known.

    Args:
        least: with more than 1, only the tokens that occur so often in the texts, and the single characters that the
            words of the others are spelled with.
    """
    tokenizer = WordPieceTokenizer(vocabulary, config)
    known, counts, unknown = set(vocabulary), np.zeros(len(vocabulary), "int64"), tokenizer.id_of(UNK)
    beginnings: set[str] = set()
    for lines in batch_lines(text.encode() for text in texts):
        ids = tokenizer(lines)
        counts += np.bincount(ids.values.numpy(), minlength=len(vocabulary))
        with_unknown = itertools.compress(lines, tf.reduce_any(ids == unknown, 1).numpy())
        for word in count_words(list(with_unknown), config):
            beginnings.update(_matched(word, known))
    used = set(itertools.compress(vocabulary, counts >= least))
    return used | (beginnings if least == 1 else _letters(vocabulary, counts))


def _letters(vocabulary: list[str], counts: np.ndarray) -> set[str]:
    """The tokens of one character for those of the longer tokens that occur."""
    bare = [token.removeprefix(CONTINUATION) for token in vocabulary]
    letters = set("".join(token for token, count in zip(bare, counts, strict=True) if count and len(token) > 1))
    return {token for token, letter in zip(vocabulary, bare, strict=True) if letter in letters}


def _matched(word: str, known: set[str]) -> Iterator[str]:
    """The tokens that the longest matches find in a word, up to its end or to where none is found."""
    start = 0
    while start < len(word):
        prefix = CONTINUATION if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in known), None)
        if end is None:
            return
        yield prefix + word[start:end]
        start = end
