"""Tokens that were added to a vocabulary, found in texts before anything is split, as Hugging Face's tokenizers do."""

from collections.abc import Callable

import tensorflow as tf

# N texts, M segments of texts, K tokens

_MARK, _REMOVED = "\x1e", "\x01"  # control characters, which every BERT tokenizer removes from texts


class WholeTokens:
    """Cuts texts at added tokens and lets a tokenizer read what is between them; TensorFlow ops only.

    Args:
        tokens: {token: id} of those that are found as they are written.
        any_case: {token: id} of those whose case does not matter.
    """

    def __init__(self, tokens: dict[str, int], any_case: dict[str, int]):
        self._tokens, self._any_case = tokens, {token.lower(): i for token, i in any_case.items()}
        longest_first = sorted([*tokens, *any_case], key=len, reverse=True)
        patterns = []
        for token in longest_first:
            exact = "".join(f"\\x{{{ord(letter):x}}}" for letter in token)  # no letter is special to RE2 then
            patterns.append(exact if token in tokens else f"(?i:{exact})")
        self._pattern = "|".join(patterns)

    def ids(self, texts: tf.Tensor, tokenize: Callable) -> tf.RaggedTensor:
        """Token ids of texts [N], ragged [N, (tokens)]; `tokenize` gives those of texts without added tokens."""
        segments, found = self._split(texts)
        between = tokenize(tf.where(found < 0, segments.values, ""))  # [M, (tokens)]
        return _joined(segments, found, between, found)

    def with_offsets(self, texts: tf.Tensor, tokenize: Callable) -> tuple:
        """(ids, starts, ends) as `Tokenizer.with_offsets`; `tokenize` gives those of texts without added tokens."""
        segments, found = self._split(texts)
        ids, starts, ends = tokenize(tf.where(found < 0, segments.values, ""))  # [M, (tokens)]
        lengths = tf.strings.unicode_decode(segments.values, "UTF-8").row_lengths()  # [M] characters
        before = tf.cumsum(lengths, exclusive=True)  # of all texts
        before -= tf.gather(before, tf.gather(segments.row_splits, segments.value_rowids()))  # of the same text
        of_token = tf.repeat(before, ids.row_lengths())
        return (
            _joined(segments, found, ids, found),
            _joined(segments, found, starts.with_values(starts.values + of_token), before),
            _joined(segments, found, ends.with_values(ends.values + of_token), before + lengths),
        )

    def _split(self, texts: tf.Tensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """Segments of texts, strings [N, (segments)], and the id of each that is a token, else -1, int32 [M]."""
        texts = tf.strings.regex_replace(texts, _MARK, _REMOVED)
        marked = tf.strings.regex_replace(texts, self._pattern, rf"{_MARK}\0{_MARK}")
        segments = tf.strings.split(marked, _MARK)
        # Before, between and after tokens is a segment, if an empty one: tokens are the segments of odd numbers.
        number = tf.range(tf.size(segments.values, tf.int64)) - tf.gather(segments.row_splits, segments.value_rowids())
        is_token = number % 2 == 1
        strings = tf.boolean_mask(segments.values, is_token)
        ids = tf.constant([*self._tokens.values(), *self._any_case.values()], tf.int32)
        exactly = strings[:, tf.newaxis] == tf.constant([*self._tokens], tf.string)
        lower = tf.strings.lower(strings, "utf-8")
        in_any_case = lower[:, tf.newaxis] == tf.constant([*self._any_case], tf.string)
        same = tf.cast(tf.concat([exactly, in_any_case], 1), tf.int32)  # [tokens, K]
        found = tf.gather(ids, tf.argmax(same, 1))
        return segments, tf.tensor_scatter_nd_update(tf.fill(tf.shape(is_token), -1), tf.where(is_token), found)


def _joined(segments, found, between, of_token):
    """Values of the tokens of texts [N, (tokens)], from those between added tokens and those of added tokens [M]."""
    values = tf.cast(tf.boolean_mask(of_token, found >= 0), between.dtype)
    added = tf.RaggedTensor.from_row_lengths(values, tf.cast(found >= 0, tf.int64), validate=False)
    joined = tf.concat([between, added], 1)  # one of the two is empty
    return tf.RaggedTensor.from_row_splits(joined.values, tf.gather(joined.row_splits, segments.row_splits))
