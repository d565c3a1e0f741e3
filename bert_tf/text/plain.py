"""Which texts are plain: for them tensorflow-text's own splitting gives the reference's words, several times faster."""

import tensorflow as tf

# Cleaning, accent stripping and (but for A to Z) lower-casing leave all these as they are, and splitting has the same
# opinion of them in the reference and in FastWordpieceTokenizer; tests/text/plain_test.py goes through them all.
_LETTERS = "0-9A-Za-z"
_OTHER_PARTS_OF_WORDS = (
    "\u00a2-\u00a6\u00a9\u00aa\u00ac\u00ae-\u00b5\u00b9\u00ba\u00bc-\u00be\u00d7\u00df\u00e6\u00f0"
    "\u00f7\u00f8\u00fe\u0111\u0131\u0142\u0153\u20ac\u2122\u2190-\u2193\u25a0-\u26ff"
    "\uff04\uff0b\uff10-\uff19\uff1c-\uff1e\uff41-\uff5a\uff5e\uffe5"
)
_BREAKS = (
    r"\t\n\r -/:-@\[-`{-~"
    "\u00a0\u00a1\u00a7\u00ab\u00b6\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u2043\u2045-\u2051\u2053-\u205e"
    "\u3000-\u3003\u3008-\u3011\u3014-\u301f\uff01-\uff03\uff05-\uff0a\uff0c-\uff0f\uff1a\uff1b\uff1f\uff20"
)
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff"
# FastWordpieceTokenizer counts bytes, the reference characters: the same for ASCII letters alone. Words with others
# in them must be so short that neither limit matters. (Longer counted repeats would take RE2 long to compile.)
_LONGEST_MIXED_WORD, _MOST_BYTES = 20, 3


def is_plain(texts, config):
    """Whether each of texts [N] has plain characters only, in words that may be judged by their bytes: bool [N]."""
    return tf.strings.regex_full_match(texts, plain_pattern(config))


def plain_pattern(config):
    """The regular expression (RE2) of plain texts under a `TextConfig`."""
    breaks = _BREAKS + (_IDEOGRAPHS if config.split_cjk else "")
    longest = min(_LONGEST_MIXED_WORD, config.max_word_chars // _MOST_BYTES)
    word = f"(?:[{_LETTERS}]*|[{_LETTERS}{_OTHER_PARTS_OF_WORDS}]{{0,{longest}}})"
    return f"(?:{word}[{breaks}])*{word}"
