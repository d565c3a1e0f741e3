"""Rewrites texts so that the word splitting of tensorflow-text finds the words of BERT's reference."""

import functools
import unicodedata

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.core.config import TextConfig
from bert_tf.text.tokenizers import unicode_tables as ch
from bert_tf.text.tokenizers.normalizer import Normalizer
from bert_tf.text.tokenizers.normalizer_model import to_model
from bert_tf.text.tokenizers.vocabulary import SPECIAL_TOKENS, UNK

_IDEOGRAPHS = frozenset(code for first, last in ch.CJK_IDEOGRAPHS for code in range(first, last + 1))
_PRIVATE = (*range(0xF0000, 0xFFFFE), *range(0x100000, 0x10FFFE))  # private use, planes 15 and 16
_REMOVED = "\x01"  # removed under all settings, so that the map may use it as a mark
_TAKEN = {_REMOVED, "\x11"}  # the model builder reserves the second and refuses tokens with it
_MOST_REPEATS = 1000  # of a group in RE2


class Rewriter:
    """Spells texts and tokens so that `FastWordpieceTokenizer`, which splits texts itself, gives the reference's ids.

    One op maps characters to strings, as `Normalizer` does with each of them. Where the result depends on more than
    one character the map inserts a mark; only batches with a mark need the other methods. The ops are few because the
    start of a graph costs time for each of its nodes, whether they run or not.

    Args:
        config: a `TextConfig`.
        vocabulary: the tokens.
    """

    def __init__(self, config: TextConfig, vocabulary: list[str]):
        self._config = config
        self._normalizer = Normalizer(config)
        letters = set().union(*vocabulary)
        sigmas = {chr(ch.SMALL_SIGMA), chr(ch.FINAL_SIGMA)}
        # Whether a sigma becomes final matters only where a token has one.
        self.marks_sigma = config.lower_case and not letters.isdisjoint(sigmas)
        self._spelling = _spelling(letters, config.split_cjk)
        # The order of combining characters matters only where tokens have several classes of them.
        classes = {unicodedata.combining(c) for c in letters if unicodedata.category(c) != "Mn"}
        self._reorders = self._normalizer.strip_accents and len(classes) > 2

    def spell(self, vocabulary: list[str]) -> list[str]:
        """The tokens of a vocabulary as they are spelled in rewritten texts, then the mark of capital sigmas."""
        special = {token: chr(ch.FIRST_SPECIAL + k) for k, token in enumerate(SPECIAL_TOKENS)}
        special = special if self._config.special_tokens else {}
        spelling = str.maketrans(self._spelling)
        tokens = [name if name == UNK else special.get(name, name.translate(spelling)) for name in vocabulary]
        # No word contains white space, but the op, which splits texts itself, would find such tokens. The mark also
        # keeps it from refusing a vocabulary without any possible token.
        possible = [name.split() == [name] and _TAKEN.isdisjoint(name) for name in tokens]
        return [name if possible[i] else f"{_REMOVED}{i}" for i, name in enumerate(tokens)] + [_REMOVED]

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """Rewrites texts [N] that went through `protect`."""
        return self._normalize(texts)

    def protect(self, texts: tf.Tensor) -> tf.Tensor:
        """Prepares texts [N]: replaces special tokens, and orders combining characters where that matters."""
        texts = self._normalizer.protect(texts)
        return self._normalizer.expand(texts) if self._reorders else texts

    def without_capital_sigma(self, texts: tf.Tensor) -> tf.Tensor:
        """Lower-cases the capital sigmas of texts [N] by context; nothing else changes."""
        # Invalid bytes become a character that is removed later.
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        pattern = tf.constant(ch.final_sigma())  # as a tensor it is compiled only where it runs
        texts = tf.strings.regex_replace(texts, pattern, rf"\1{chr(ch.FINAL_SIGMA)}\2")
        return tf.strings.regex_replace(texts, chr(ch.CAPITAL_SIGMA), chr(ch.SMALL_SIGMA))

    def without_long_words(self, texts: tf.Tensor) -> tf.Tensor:
        """Makes words of more than `max_word_chars` characters in rewritten texts [N] unknown."""
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
    """Replacements of the characters at which the op splits and the reference does not, dict of str.

    Those in `letters`, the characters of the vocabulary (set of str), are replaced by unused characters.
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
    codes = np.array(sorted({*codes.tolist(), *map(ord, spelling)}), np.int32)  # [C]
    with tf.init_scope(), tf.device("CPU"):
        characters = tf.strings.unicode_encode(codes[:, np.newaxis], "UTF-8")
        expanded = tf.strings.unicode_decode(normalizer.expand(characters), "UTF-8")
        outputs, properties = (value.numpy() for value in normalizer.look_up(expanded.flat_values))  # [O] each
    splits = expanded.row_splits.numpy()  # [C + 1]
    if config.lower_case:
        spelling[chr(ch.CAPITAL_SIGMA)] = f" {_REMOVED} " if marks_sigma else chr(ch.SMALL_SIGMA)
    strings = {}
    for row in np.flatnonzero(_may_change(codes, outputs, properties, splits, spelling)).tolist():
        part = slice(splits[row], splits[row + 1])
        pairs = zip(outputs[part].tolist(), properties[part].tolist(), strict=True)
        strings[chr(codes[row])] = "".join(_spelled(code, of_code, spelling) for code, of_code in pairs)
    return to_model({character: string for character, string in strings.items() if character != string})


def _may_change(codes, outputs, properties, splits, spelling):
    """Whether each character of `codes` may differ from what `_spelled` makes of its outputs, bool [C].

    It rules out most characters at once: those that expand to themselves, without properties that matter.
    """
    kept = (properties & (ch.REMOVED | ch.SPACE | ch.ALONE) == 0) | np.isin(outputs, list(_IDEOGRAPHS))
    kept &= ~np.isin(outputs, list(map(ord, spelling)))
    single = np.flatnonzero(np.diff(splits) == 1)
    places = splits[single]
    may_change = np.ones(len(codes), bool)
    may_change[single] = ~kept[places] | (outputs[places] != codes[single])
    return may_change


def _spelled(code, properties, spelling):
    """One character of an expanded text as the op needs it, given its properties."""
    if properties & ch.REMOVED:
        return ""
    if properties & ch.SPACE:
        return " "
    found = spelling.get(chr(code), chr(code))
    # The op splits at ASCII punctuation and ideographs itself; added spaces would only make it slower.
    return f" {found} " if properties & ch.ALONE and code > 0x7F and code not in _IDEOGRAPHS else found
