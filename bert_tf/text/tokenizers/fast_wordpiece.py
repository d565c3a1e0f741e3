"""Rewrites texts so that tensorflow-text's own word splitting finds in them the words of BERT's reference."""

import functools
import itertools
import unicodedata

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.text.tokenizers import unicode_tables as ch
from bert_tf.text.tokenizers.normalizer import Normalizer
from bert_tf.text.tokenizers.normalizer_model import to_model
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS, UNK

_IDEOGRAPHS = frozenset(code for first, last in ch.CJK_IDEOGRAPHS for code in range(first, last + 1))
_PRIVATE = (*range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE))  # characters of nobody, in planes 15 and 16
_REMOVED = "\x01"  # whatever the settings, so that the map may use it
_TAKEN = {_REMOVED, "\x11"}  # the other is the model builder's, which refuses it in pieces
_MOST_REPEATS = 1000  # that RE2 counts


class Rewriter:
    """Spells texts and pieces so that `FastWordpieceTokenizer`, which splits texts itself, gives the reference's ids.

    The work is done by one op with a map from characters to strings, which is `Normalizer` applied to each of them.
    What hangs on more than one character the map can only mark; the few batches with a mark need the other methods.
    A graph that starts pays for each of its nodes, whether they run or not; hence so few.

    Args:
        config: a `TextConfig`.
        vocabulary: list of str.
    """

    def __init__(self, config, vocabulary):
        self._config = config
        self._normalizer = Normalizer(config)
        letters = set().union(*vocabulary)
        sigmas = {chr(ch.SMALL_SIGMA), chr(ch.FINAL_SIGMA)}
        # Which small sigma it becomes matters only where a piece has one.
        self.marks_sigma = config.lower_case and not letters.isdisjoint(sigmas)
        self._spelling = _spelling(letters, config.split_cjk)
        # A word with a character that no piece has is unknown in whatever order its characters are.
        classes = {unicodedata.combining(c) for c in letters if unicodedata.category(c) != "Mn"}
        self._reorders = self._normalizer.strip_accents and len(classes) > 2

    def pieces(self, vocabulary):
        """The pieces of a vocabulary as they are spelled in rewritten texts, then the mark of capital sigmas."""
        special = {token: chr(ch.FIRST_SPECIAL + k) for k, token in enumerate(SPECIAL_TOKENS)}
        special = special if self._config.special_tokens else {}
        spelling = str.maketrans(self._spelling)
        pieces = [name if name == UNK else special.get(name, name.translate(spelling)) for name in vocabulary]
        # No word has white space in it, but the op that splits by itself would find such pieces. The mark also keeps
        # it from refusing a vocabulary in which nothing can be found.
        possible = [name.split() == [name] and _TAKEN.isdisjoint(name) for name in pieces]
        return [name if possible[i] else f"{_REMOVED}{i}" for i, name in enumerate(pieces)] + [_REMOVED]

    def __call__(self, texts):
        """Rewrites texts [N] that went through `protect`."""
        return self._normalize(texts)

    def protect(self, texts):
        """Prepares texts [N] where something else than single characters matters in all of them."""
        texts = self._normalizer.protect(texts)
        return self._normalizer.expand(texts) if self._reorders else texts

    def without_capital_sigma(self, texts):
        """Lower-cases the capital sigmas of texts [N] as their neighbours want it; no other character changes."""
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")  # invalid bytes to a character that is removed
        pattern = tf.constant(ch.final_sigma())  # given as a tensor it is compiled where it runs only
        texts = tf.strings.regex_replace(texts, pattern, rf"\1{chr(ch.FINAL_SIGMA)}\2")
        return tf.strings.regex_replace(texts, chr(ch.CAPITAL_SIGMA), chr(ch.SMALL_SIGMA))

    def without_long_words(self, texts):
        """Makes words of rewritten texts [N] unknown where they have more than `max_word_chars` characters."""
        breaks = " !-/:-@\\[-`{-~" + "".join(f"{chr(first)}-{chr(last)}" for first, last in ch.CJK_IDEOGRAPHS)
        whole, rest = divmod(self._config.max_word_chars + 1, _MOST_REPEATS)
        pattern = f"[^{breaks}]{{{_MOST_REPEATS}}}" * whole + f"[^{breaks}]{{{rest},}}"
        return tf.strings.regex_replace(texts, tf.constant(pattern), ch.NEVER_ASSIGNED)

    @functools.cached_property
    def _normalize(self):
        model = _normalizer_model(self._config, tuple(self._spelling.items()), self.marks_sigma)
        with tf.init_scope():  # a constant of the process, whichever graph asks for it first
            return tf_text.FastBertNormalizer(model_buffer=tf.constant(np.frombuffer(model, np.uint8))).normalize


def _spelling(letters, split_cjk):
    """What is written for the characters that the op would split at and the reference does not: dict of str.

    `letters` are the characters of the vocabulary, set of str. For those of them others stand in, that are not.
    """
    disputed = set(ch.PUNCTUATION_LATER)
    if not split_cjk:
        disputed.update(map(chr, _IDEOGRAPHS))
    free = (chr(code) for code in _PRIVATE if chr(code) not in letters)
    stand_ins = dict(zip(sorted(disputed & letters), free, strict=False))
    return dict.fromkeys([*sorted(disputed), *stand_ins.values()], ch.NEVER_ASSIGNED) | stand_ins


@functools.cache
def _normalizer_model(config, spelling, marks_sigma):
    """The model of `FastBertNormalizer` for a `TextConfig` and (character, string) pairs of `_spelling`."""
    normalizer, spelling = Normalizer(config), dict(spelling)
    codes = ch.CODES[(ch.CODES < 0xD800) | (ch.CODES > 0xDFFF)]
    characters = sorted({*map(chr, codes.tolist()), *spelling})
    with tf.init_scope(), tf.device("CPU"):
        expanded = tf.strings.unicode_decode(normalizer.expand(tf.constant(characters)), "UTF-8")
        codes, properties = normalizer.look_up(expanded.flat_values)
    if config.lower_case:
        spelling[chr(ch.CAPITAL_SIGMA)] = f" {_REMOVED} " if marks_sigma else chr(ch.SMALL_SIGMA)
    pairs = zip(codes.numpy().tolist(), properties.numpy().tolist(), strict=True)
    pieces = [_spelled(code, of_code, spelling) for code, of_code in pairs]
    splits = expanded.row_splits.numpy().tolist()
    strings = ("".join(pieces[begin:end]) for begin, end in itertools.pairwise(splits))
    return to_model({c: string for c, string in zip(characters, strings, strict=True) if c != string})


def _spelled(code, properties, spelling):
    """One character of an expanded text as the op needs it, from what can be said of it."""
    if properties & ch.REMOVED:
        return ""
    if properties & ch.SPACE:
        return " "
    found = spelling.get(chr(code), chr(code))
    # The op splits by itself at those of ASCII and at ideographs, and would take longer over a longer text.
    return f" {found} " if properties & ch.ALONE and code > 0x7F and code not in _IDEOGRAPHS else found
