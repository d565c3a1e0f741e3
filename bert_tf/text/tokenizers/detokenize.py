"""WordPiece tokens to readable text, in Python and as TensorFlow ops."""

import re
from collections.abc import Iterable

import tensorflow as tf

from bert_tf.text.tokenizers.unicode_tables import CJK_IDEOGRAPHS
from bert_tf.text.tokenizers.vocabulary import CLS, CONTINUATION, PAD, SEP

_REMOVED = {PAD, CLS, SEP}
_WIDE = "".join(f"{chr(first)}-{chr(last)}" for first, last in (*CJK_IDEOGRAPHS, (0x3000, 0x30FF), (0xFF00, 0xFFEF)))
# Expressions that Python and RE2 both read. A match consumes the character after the blank, which may begin the next
# match: each expression is applied twice.
_TIDY = (
    (r" ([.,;:!?%)\]}…’”])", r"\1"),
    (r"([(\[{$“‘]) ", r"\1"),
    (r"(\w) (['’]) (s|t|m|d|ll|re|ve)(\W|$)", r"\1\2\3\4"),
    (r"(\w) ([-/]) (\w)", r"\1\2\3"),
    (r"(\d[.,:]) (\d)", r"\1\2"),
    (rf"([{_WIDE}]) ([{_WIDE}])", r"\1\2"),
)
_CLASSES = {r"\w": r"[\pL\pN_]", r"\W": r"[^\pL\pN_]", r"\d": r"\p{Nd}"}  # RE2's are those of ASCII
_PASSES = 2


def readable(tokens: Iterable[str]) -> str:
    """The text of tokens: words joined, padding and separators removed, usual spacing around punctuation.

    Case, accents and spacing around punctuation cannot be restored where tokenization dropped them.
    """
    text = "".join(map(spelling, tokens)).removeprefix(" ")
    for pattern, replacement in _TIDY:
        for _ in range(_PASSES):
            text = re.sub(pattern, replacement, text)
    return text


def spelling(token: str) -> str:
    """The characters that a token adds to a text; "" for padding and separators."""
    if token in _REMOVED:
        return ""
    return token.removeprefix(CONTINUATION) if token.startswith(CONTINUATION) else f" {token}"


def tidy(texts: tf.Tensor) -> tf.Tensor:
    """As the last step of `readable`, for joined spellings, strings [N]; TensorFlow ops only."""
    texts = tf.strings.regex_replace(texts, "^ ", "")
    for pattern, replacement in _TIDY:
        for python_class, re2_class in _CLASSES.items():
            pattern = pattern.replace(python_class, re2_class)
        for _ in range(_PASSES):
            texts = tf.strings.regex_replace(texts, pattern, replacement)
    return texts
