"""Normalizes texts and splits them into words as BERT's reference does, with TensorFlow ops only."""

import dataclasses
import functools

import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers import unicode_tables as ch
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS

_END = " "  # appended to every text, so that its end and the start of the next text do not meet


@dataclasses.dataclass
class Words:
    """The words of N texts, with the characters they are made of."""

    strings: tf.RaggedTensor  # [N, (words)]
    codes: tf.Tensor  # [C] code points of all words, concatenated
    splits: tf.Tensor  # [W + 1] start of each word in `codes`
    places: tf.Tensor  # [C] index of each character in the expanded texts


class Normalizer(tf.Module):
    """Splits texts into the words that google-research/bert's BasicTokenizer finds in them.

    Works on code points with its own tables (unicode_tables.py), because the case mapping and character classes of
    TensorFlow's ops depend on its Unicode version and on the locale of the process.
    """

    def __init__(self, config: TextConfig):
        super().__init__()
        self._lower_case = config.lower_case
        self.strip_accents = config.strips_accents
        self._special_tokens = config.special_tokens
        self._split_cjk = config.split_cjk
        self._max_word_chars = config.max_word_chars

    @functools.cached_property  # not needed for most texts
    def _tables(self):
        settings = self._lower_case, self.strip_accents, self._split_cjk, self._special_tokens
        with tf.init_scope():  # constants of the process, whichever graph asks for them first
            return [tf.constant(table) for table in ch.tables(*settings)]

    def words(self, texts: tf.Tensor) -> Words:
        """`Words` of texts [N] that went through `protect`."""
        decoded = tf.strings.unicode_decode(self.expand(texts + _END), "UTF-8")
        codes, properties = self.look_up(decoded.flat_values)
        if self._lower_case:
            codes = tf.cond(
                tf.reduce_any(codes == ch.CAPITAL_SIGMA), lambda: _lower_sigma(codes, properties), lambda: codes
            )
        return self._split(codes, properties, decoded.row_splits)

    def words_with_source(self, texts: tf.Tensor) -> tuple[Words, tf.Tensor, tf.Tensor]:
        """`Words` of texts [N] and the position of each character in its text: (words, starts [C], ends [C])."""
        words = self.words(texts)
        return words, *(tf.gather(place, words.places) for place in self._source(texts))

    def protect(self, texts: tf.Tensor) -> tf.Tensor:
        """Replaces special tokens by a noncharacter and fillers of the same length, where `special_tokens` is on."""
        if not self._special_tokens:
            return texts
        taken = f"[{chr(ch.FIRST_SPECIAL)}-{chr(ch.SPECIAL_FILLER)}]"
        texts = tf.strings.regex_replace(texts, taken, chr(ch.SPECIAL_LITERAL))
        for k, token in enumerate(SPECIAL_TOKENS):
            replacement = chr(ch.FIRST_SPECIAL + k) + chr(ch.SPECIAL_FILLER) * (len(token) - 1)
            texts = tf.strings.regex_replace(texts, token.replace("[", r"\[").replace("]", r"\]"), replacement)
        return texts

    def expand(self, texts: tf.Tensor) -> tf.Tensor:
        """Does all steps that lengthen texts; after it every character becomes one character or none."""
        if self.strip_accents:
            return tf_text.normalize_utf8(
                tf.strings.regex_replace(texts, f"[{ch.COMPOSED_LATER}]", ch.NEVER_ASSIGNED), "NFD"
            )
        if self._lower_case:
            return tf.strings.regex_replace(texts, "\u0130", "I\u0307")
        return texts

    def look_up(self, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """What code points [C] become, and the properties of the results (unicode_tables.py)."""
        # Codes between the planes and the tags, and those after, use the rows of noncharacters, which are empty.
        tags = tf.clip_by_value(codes - (ch.TAGS - ch.PLANES_END), ch.PLANES_END - 1, ch.TABLE_SIZE - 1)
        row = tf.where(codes < ch.PLANES_END, codes, tags)
        shift, properties = self._tables
        return codes + tf.gather(shift, row), tf.gather(properties, row)

    def _split(self, codes, properties, row_splits):
        """`Words` of characters [M] of texts that begin at `row_splits`."""
        breaks = tf.cast(properties & (ch.SPACE | ch.ALONE) != 0, tf.int32)
        # Counts the breaks up to each character, odd inside a break: equal numbers are one word.
        count = tf.cumsum(breaks) * 2 - breaks
        places = tf.squeeze(tf.where(properties & (ch.SPACE | ch.REMOVED) == 0), 1)  # [C]
        codes, count = tf.gather(codes, places), tf.gather(count, places)
        splits = tf.squeeze(tf.where(tf.concat([[-1], count], 0) != tf.concat([count, [-2]], 0)), 1)  # [W + 1]
        begins, ends = splits[:-1], splits[1:]
        strings = tf.strings.unicode_encode(tf.RaggedTensor.from_row_splits(codes, splits, validate=False), "UTF-8")
        if self._special_tokens:
            strings = _restore_special(strings)
        # The reference checks the length of words last.
        strings = tf.where(ends - begins > self._max_word_chars, ch.NEVER_ASSIGNED, strings)
        word_splits = tf.searchsorted(tf.gather(places, begins), row_splits, out_type=tf.int64)
        return Words(tf.RaggedTensor.from_row_splits(strings, word_splits, validate=False), codes, splits, places)

    def _source(self, texts):
        """Position in its text of each character of the expanded texts: (starts, ends) [expanded]."""
        decoded = tf.strings.unicode_decode(texts + _END, "UTF-8")
        distinct, number = tf.unique(decoded.flat_values)
        expanded = self.expand(tf.strings.unicode_encode(distinct[:, tf.newaxis], "UTF-8"))
        lengths = tf.gather(tf.strings.length(expanded, unit="UTF8_CHAR"), number)  # [chars]
        _, properties = self.look_up(decoded.flat_values)
        # A combining accent belongs to the letter before it: the letter ends where its accents end.
        in_text = tf.ragged.range(decoded.row_lengths()).flat_values
        group = tf.cumsum(tf.cast(properties & ch.JOINS == 0, tf.int32))  # [chars]
        ends = tf.gather(tf.math.segment_max(in_text + 1, group), group)
        return tf.repeat(in_text, lengths), tf.repeat(ends, lengths)


def _lower_sigma(codes, properties):
    """Lower-cases capital sigmas: final after a cased letter and not before one (Unicode, table 3-17)."""
    places = tf.where(properties & (ch.CASE_IGNORABLE | ch.REMOVED) == 0)  # [L, 1]; the last is a space
    cased = tf.gather_nd(properties, places) & ch.CASED != 0
    final = tf.roll(cased, 1, 0) & ~tf.roll(cased, -1, 0)
    lowered = tf.where(final, ch.FINAL_SIGMA, ch.SMALL_SIGMA)
    found = tf.gather_nd(codes, places)
    return tf.tensor_scatter_nd_update(codes, places, tf.where(found == ch.CAPITAL_SIGMA, lowered, found))


def _restore_special(strings):
    for k, token in enumerate(SPECIAL_TOKENS):
        strings = tf.where(strings == chr(ch.FIRST_SPECIAL + k), token, strings)
    return strings
