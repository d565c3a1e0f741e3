"""WordPiece: token ids of texts exactly as google-research/bert computes them, as TensorFlow ops."""

import concurrent.futures
import functools
import itertools
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import InputError
from bert_tf.text.tokenizers import detokenize
from bert_tf.text.tokenizers import vocabulary as vocabulary_file
from bert_tf.text.tokenizers.base import SpecialTokens, Tokenizer, as_strings, merge_tokens
from bert_tf.text.tokenizers.fast_wordpiece import Rewriter
from bert_tf.text.tokenizers.normalizer import Normalizer
from bert_tf.text.tokenizers.vocabulary import CONTINUATION, RESERVED, SPECIAL_TOKENS, UNK
from bert_tf.text.tokenizers.whole_tokens import WholeTokens

_MAX_CHAR_BYTES = 4  # of a character in UTF-8
_SLICE = 4096  # texts that one thread takes at a time


class WordPieceTokenizer(Tokenizer):
    """The tokenizer of BERT.

    Gives the ids of google-research/bert, tokenization.py, `FullTokenizer`, as Python 3.11 (Unicode 14.0) runs it.

    Args:
        vocabulary: the tokens in the order of their ids. `InputError` where it is not one (`read_vocabulary`).
        config: a `TextConfig`.
    """

    SPECIAL_TOKENS = SpecialTokens(*SPECIAL_TOKENS)
    FILE_NAME = "vocab.txt"
    ON_PHONES = True

    def __init__(self, vocabulary: Sequence[str], config: TextConfig | None = None):
        vocabulary = list(vocabulary)
        vocabulary_file.check_vocabulary(vocabulary)
        super().__init__(vocabulary, config)
        self._added = self.config.added_tokens, self.config.added_any_case
        for token in itertools.chain(*self._added):
            if token not in vocabulary or not token.strip():
                raise InputError(f"The added token {token!r} is not in the vocabulary, where its id is looked up.")
        self._normalizer = Normalizer(self.config)
        self._rewriter = Rewriter(self.config, vocabulary)

    @classmethod
    def from_file(cls, path: str | os.PathLike, **settings) -> "WordPieceTokenizer":
        """Opens a vocabulary file (one token per line); `settings` are the fields of `TextConfig`."""
        return cls(vocabulary_file.read_vocabulary(path), TextConfig(**settings))

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the vocabulary file, one token per line; the caller keeps `config`."""
        vocabulary_file.write_vocabulary(path, self.vocabulary)

    @functools.cached_property
    def starts_word(self) -> np.ndarray:
        return ~np.char.startswith(self._tokens, CONTINUATION)

    @property
    def token_texts(self) -> list[str]:
        return [token.removeprefix(CONTINUATION) for token in self.vocabulary]

    @functools.cached_property
    def ordinary_ids(self) -> np.ndarray:
        reserved = np.char.startswith(self._tokens, RESERVED) | np.isin(self._tokens, SPECIAL_TOKENS)
        return np.flatnonzero(~reserved).astype(np.int32)

    def max_bytes(self, num_tokens: int) -> int:
        """As `Tokenizer`'s, for words with one space between them: every token may be a word of the largest length."""
        return num_tokens * _MAX_CHAR_BYTES * (self.config.max_word_chars + 1)

    def readable(self, tokens: Sequence[str]) -> str:
        return detokenize.readable(tokens)

    @property
    def spellings(self) -> list[str]:
        return list(map(detokenize.spelling, self.vocabulary))

    def tidy(self, texts: tf.Tensor) -> tf.Tensor:
        return detokenize.tidy(texts)

    def __call__(self, texts: Any) -> tf.RaggedTensor:
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return self(texts[tf.newaxis]).values
        with tf.device("CPU"):  # string ops run on CPU only; the integer ops between them should not be copied to a GPU
            if tf.executing_eagerly() and len(texts) > _SLICE:
                with concurrent.futures.ThreadPoolExecutor() as threads:
                    return tf.concat(list(threads.map(self, _slices(texts))), 0)
            return self._whole.ids(texts, self._tokenize) if self._whole else self._tokenize(texts)

    def with_offsets(self, texts: Any) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """As `Tokenizer`'s; an accent that is written as a character of its own belongs to the letter before it."""
        texts = as_strings(texts)
        if texts.shape.rank == 0:
            return tuple(x.values for x in self.with_offsets(texts[tf.newaxis]))
        with tf.device("CPU"):
            if self._whole:
                return self._whole.with_offsets(texts, self._tokenize_with_offsets)
            return self._tokenize_with_offsets(texts)

    @functools.cached_property
    def _whole(self):
        """Finds the added tokens; None without any."""
        exact, any_case = ({token: self.id_of(token) for token in names} for names in self._added)
        if not self.config.lower_case:
            exact, any_case = exact | any_case, {}
        return WholeTokens(exact, any_case) if exact or any_case else None

    def _tokenize_with_offsets(self, texts):
        words, starts, ends = self._normalizer.words_with_source(self._normalizer.protect(texts))
        ids, first_bytes, end_bytes = self._of_words.tokenize_with_offsets(words.strings.values)
        first, last = _token_characters(words, first_bytes, end_bytes)
        ids = merge_tokens(words.strings, ids)
        return ids, ids.with_values(tf.gather(starts, first)), ids.with_values(tf.gather(ends, last))

    def _tokenize(self, texts):
        texts = self._rewriter.protect(texts)
        ids, starts, ends = _wordpiece(self._models[0]).tokenize_with_offsets(self._rewriter(texts))
        # The op counts the bytes of a word, the reference its characters; words too long for the op stay whole.
        unfinished = tf.reduce_max(ends.values - starts.values) > self.config.max_word_chars
        if self._rewriter.marks_sigma:
            unfinished |= tf.reduce_max(ids.values) == self.vocab_size
        return tf.cond(unfinished, lambda: self._finish(texts), lambda: ids)

    def _finish(self, texts):
        """Ids of texts with sigmas that may be final, or with words too long in bytes but not in characters."""
        if self._rewriter.marks_sigma:
            texts = self._rewriter.without_capital_sigma(texts)
        model, longer = self._models
        model = tf.tensor_scatter_nd_update(model, *longer)
        return _wordpiece(model).tokenize(self._rewriter.without_long_words(self._rewriter(texts)))

    @functools.cached_property  # made on first use: this one and the next take long
    def _models(self):
        """The model for rewritten texts, and (places, bytes) that raise its length limit to that in bytes."""
        tokens, most = self._rewriter.spell(self._matched), self.config.max_word_chars
        model, longer = (_wordpiece_model(tokens, max_bytes) for max_bytes in (most, _MAX_CHAR_BYTES * most))
        places = np.flatnonzero(model != longer)
        with tf.init_scope():  # constants of the process, whichever graph asks for them first
            return tf.constant(model), (tf.constant(places[:, np.newaxis]), tf.constant(longer[places]))

    @property
    def _matched(self):
        return vocabulary_file.matched_tokens(self.vocabulary)

    @functools.cached_property
    def _of_words(self):
        # For words whose characters were counted before.
        model = _wordpiece_model(self._matched, _MAX_CHAR_BYTES * self.config.max_word_chars, no_pretokenization=True)
        with tf.init_scope():
            return _wordpiece(tf.constant(model))


def _wordpiece(model):
    return tf_text.FastWordpieceTokenizer(model_buffer=model, token_out_type=tf.int32)


def _wordpiece_model(vocabulary, max_bytes, no_pretokenization=False):
    model = tf_text.build_fast_wordpiece_model(vocabulary, max_bytes, CONTINUATION, UNK, no_pretokenization, False)
    return np.frombuffer(model, np.uint8)


def _slices(texts):
    return [texts[i : i + _SLICE] for i in range(0, len(texts), _SLICE)]


def _token_characters(words, first_bytes, end_bytes):
    """First and last character of tokens, as indices into `words.codes`, given the tokens' bytes inside their words."""
    codes = words.codes
    sizes = 1 + tf.add_n([tf.cast(codes >= limit, tf.int32) for limit in (0x80, 0x800, 0x10000)])  # of UTF-8
    before = tf.concat([[0], tf.cumsum(sizes)], 0)  # [C + 1] bytes
    of_byte = tf.repeat(tf.range(tf.size(codes)), sizes)
    word_bytes = tf.gather(before, words.splits)  # [W + 1]
    word = first_bytes.value_rowids()  # [tokens]
    begin = tf.gather(word_bytes, word)
    # A word that is one token (unknown, too long, special) was spelled differently: its end is that of the word.
    is_last = tf.concat([word[1:] != word[:-1], tf.ones_like(word[:1], tf.bool)], 0)
    end = tf.where(is_last, tf.gather(word_bytes, word + 1), begin + tf.cast(end_bytes.values, tf.int32))
    return tf.gather(of_byte, begin + tf.cast(first_bytes.values, tf.int32)), tf.gather(of_byte, end - 1)
