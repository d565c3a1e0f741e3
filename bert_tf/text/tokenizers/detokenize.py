"""WordPiece tokens to readable text."""

import re
from collections.abc import Iterable

from bert_tf.text.tokenizers.unicode_tables import CJK_IDEOGRAPHS
from bert_tf.text.tokenizers.vocabulary import CLS, CONTINUATION, PAD, SEP

_REMOVED = {PAD, CLS, SEP}
_WIDE = "".join(f"{chr(first)}-{chr(last)}" for first, last in (*CJK_IDEOGRAPHS, (0x3000, 0x30FF), (0xFF00, 0xFFEF)))
_TIDY = (
    (re.compile(r" ([.,;:!?%)\]}…’”])"), r"\1"),
    (re.compile(r"([(\[{$“‘]) "), r"\1"),
    (re.compile(r"(\w) (['’]) (s|t|m|d|ll|re|ve)\b"), r"\1\2\3"),
    (re.compile(r"(\w) ([-/]) (?=\w)"), r"\1\2"),
    (re.compile(r"(\d[.,:]) (?=\d)"), r"\1"),
    (re.compile(rf"(?<=[{_WIDE}]) (?=[{_WIDE}])"), ""),
)


def readable(tokens: Iterable[str]) -> str:
    """The text of tokens: words joined, padding and separators removed, usual spacing around punctuation.

    Case, accents and spacing around punctuation cannot be restored where tokenization dropped them.
    """
    text = " ".join(token for token in tokens if token not in _REMOVED).replace(f" {CONTINUATION}", "")
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text
