"""Text to words as BERT's reference makes them: cleaned, lower-cased, accents stripped, split; TensorFlow ops only."""

import dataclasses

import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf import features
from bert_tf.text import characters as ch


@dataclasses.dataclass
class Characters:
    """The characters of N texts that are left after cleaning and case folding, in one flat list."""

    codes: tf.Tensor  # [M] code points
    properties: tf.Tensor  # [M] bits of characters.py
    row_splits: tf.Tensor  # [N + 1] where each text begins
    kept: tf.Tensor  # [expanded] which characters of the expanded texts these are


@dataclasses.dataclass
class Words:
    """The words of N texts, with the characters they are made of."""

    strings: tf.RaggedTensor  # [N, (words)]
    codes: tf.Tensor  # [C] code points of all words, one after the other
    splits: tf.Tensor  # [W + 1] where each word begins in `codes`
    chosen: tf.Tensor  # [M] which of the `Characters` these are; the others were spaces


class Normalizer(tf.Module):
    """Splits texts into the words that google-research/bert's BasicTokenizer finds in them.

    Works on code points with tables of our own (characters.py), because the case mapping and character classes of
    TensorFlow's ops follow other Unicode versions and the locale of the process.
    """

    def __init__(self, config):
        super().__init__()
        self._lower_case = config.lower_case
        self._strip_accents = config.lower_case if config.strip_accents is None else config.strip_accents
        self._special_tokens = config.special_tokens
        self._max_word_chars = config.max_word_chars
        shift, properties = ch.tables(self._lower_case, self._strip_accents, config.split_cjk, config.special_tokens)
        with tf.init_scope():
            self._shift, self._properties = tf.constant(shift), tf.constant(properties)

    def words(self, texts):
        """`Words` of texts [N]."""
        return self._split(self._characters(self._expand(self.protect(texts))))

    def words_with_source(self, texts):
        """`Words` of texts [N] and, for each of their characters, its place in its text: (words, starts, ends) [C]."""
        texts = self.protect(texts)
        characters = self._characters(self._expand(texts))
        words = self._split(characters)
        starts, ends = self._source(texts)
        return words, *(tf.boolean_mask(tf.boolean_mask(x, characters.kept), words.chosen) for x in (starts, ends))

    def protect(self, texts):
        """Puts one noncharacter and fillers of the same total length for each special token, where they are on."""
        if not self._special_tokens:
            return texts
        taken = f"[{chr(ch.FIRST_SPECIAL)}-{chr(ch.SPECIAL_FILLER)}]"
        texts = tf.strings.regex_replace(texts, taken, chr(ch.SPECIAL_LITERAL))
        for k, token in enumerate(features.SPECIAL_TOKENS):
            replacement = chr(ch.FIRST_SPECIAL + k) + chr(ch.SPECIAL_FILLER) * (len(token) - 1)
            texts = tf.strings.regex_replace(texts, token.replace("[", r"\[").replace("]", r"\]"), replacement)
        return texts

    def _expand(self, texts):
        """Does what lengthens texts, so that afterwards a character becomes one or none."""
        if self._strip_accents:
            return tf_text.normalize_utf8(texts, "NFD")
        if self._lower_case:
            return tf.strings.regex_replace(texts, "\u0130", "I\u0307")
        return texts

    def _characters(self, texts):
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        codes, properties = self._look_up(decoded.flat_values)
        kept = properties & ch.REMOVED == 0  # [expanded]
        codes, properties = tf.boolean_mask(codes, kept), tf.boolean_mask(properties, kept)
        row_splits = tf.gather(_positions(kept), decoded.row_splits)
        if self._lower_case:
            codes = tf.cond(
                tf.reduce_any(codes == ch.CAPITAL_SIGMA),
                lambda: _lower_sigma(codes, properties, row_splits),
                lambda: codes,
            )
        return Characters(codes, properties, row_splits, kept)

    def _look_up(self, codes):
        # Codes between the planes and the tags, and those after, fall on noncharacters, whose rows are empty.
        tags = tf.clip_by_value(codes - (ch.TAGS - ch.PLANES_END), ch.PLANES_END - 1, ch.TABLE_SIZE - 1)
        row = tf.where(codes < ch.PLANES_END, codes, tags)
        return codes + tf.gather(self._shift, row), tf.gather(self._properties, row)

    def _split(self, characters):
        breaks = characters.properties & (ch.SPACE | ch.ALONE) != 0  # [M]
        after_break = tf.concat([[True], breaks], 0)
        after_break = _mark(after_break, characters.row_splits)[:-1]
        chosen = characters.properties & ch.SPACE == 0
        begins = chosen & (after_break | (characters.properties & ch.ALONE != 0))
        codes = tf.boolean_mask(characters.codes, chosen)  # [C]
        splits = tf.concat([tf.where(tf.boolean_mask(begins, chosen))[:, 0], [tf.size(codes, tf.int64)]], 0)
        strings = tf.strings.unicode_encode(tf.RaggedTensor.from_row_splits(codes, splits, validate=False), "UTF-8")
        if self._special_tokens:
            strings = _restore_special(strings)
        # The reference counts characters, after everything else. A noncharacter alone is in no vocabulary.
        strings = tf.where(splits[1:] - splits[:-1] > self._max_word_chars, "\uffff", strings)
        row_splits = tf.gather(_positions(begins), characters.row_splits)
        return Words(tf.RaggedTensor.from_row_splits(strings, row_splits, validate=False), codes, splits, chosen)

    def _source(self, texts):
        """Where each character of the expanded texts comes from in its text: (starts, ends) [expanded]."""
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        distinct, number = tf.unique(decoded.flat_values)
        expanded = self._expand(tf.strings.unicode_encode(distinct[:, tf.newaxis], "UTF-8"))
        lengths = tf.gather(tf.strings.length(expanded, unit="UTF8_CHAR"), number)  # [chars]
        _, properties = self._look_up(decoded.flat_values)
        # An accent written apart belongs to the letter before it: the letter ends where the accents end.
        in_text = tf.ragged.range(decoded.row_lengths()).flat_values
        bases = tf.concat([properties & ch.JOINS == 0, [True]], 0)
        bases = _mark(bases, decoded.row_splits)[:-1]
        group = tf.cumsum(tf.cast(bases, tf.int32)) - 1  # [chars]
        ends = tf.gather(tf.math.segment_max(in_text + 1, group), group)
        return tf.repeat(in_text, lengths), tf.repeat(ends, lengths)


def _positions(mask):
    """How many of `mask` [N] are true before each place, [N + 1] int64."""
    return tf.concat([[0], tf.cumsum(tf.cast(mask, tf.int64))], 0)


def _mark(flags, places):
    """`flags` with True at `places`, which may repeat."""
    return tf.tensor_scatter_nd_update(flags, places[:, tf.newaxis], tf.ones_like(places, tf.bool))


def _lower_sigma(codes, properties, row_splits):
    """Lower-cases capital sigmas: the final form behind a cased letter and not before one (Unicode, table 3-17)."""
    looked_at = properties & ch.CASE_IGNORABLE == 0
    places = tf.where(looked_at)  # [L, 1]
    rows = tf.searchsorted(row_splits, places[:, 0], side="right")
    cased = tf.boolean_mask(properties, looked_at) & ch.CASED != 0
    linked = rows[1:] == rows[:-1]
    before = tf.concat([[False], linked & cased[:-1]], 0)
    after = tf.concat([linked & cased[1:], [False]], 0)
    lowered = tf.where(before & ~after, ch.FINAL_SIGMA, ch.SMALL_SIGMA)
    found = tf.boolean_mask(codes, looked_at)
    return tf.tensor_scatter_nd_update(codes, places, tf.where(found == ch.CAPITAL_SIGMA, lowered, found))


def _restore_special(strings):
    for k, token in enumerate(features.SPECIAL_TOKENS):
        strings = tf.where(strings == chr(ch.FIRST_SPECIAL + k), token, strings)
    return strings
