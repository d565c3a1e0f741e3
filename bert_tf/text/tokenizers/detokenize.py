"""Word pieces back to readable text."""

import re

from bert_tf.text.tokenizers.unicode_tables import CJK_IDEOGRAPHS
from bert_tf.text.tokenizers.vocabulary import CLS, CONTINUATION, PAD, SEP

_HIDDEN = {PAD, CLS, SEP}
_WIDE = "".join(f"{chr(first)}-{chr(last)}" for first, last in (*CJK_IDEOGRAPHS, (0x3000, 0x30FF), (0xFF00, 0xFFEF)))
_TIDY = (
    (re.compile(r" ([.,;:!?%)\]}…’”])"), r"\1"),
    (re.compile(r"([(\[{$“‘]) "), r"\1"),
    (re.compile(r"(\w) (['’]) (s|t|m|d|ll|re|ve)\b"), r"\1\2\3"),
    (re.compile(r"(\w) ([-/]) (?=\w)"), r"\1\2"),
    (re.compile(r"(\d[.,:]) (?=\d)"), r"\1"),
    (re.compile(rf"(?<=[{_WIDE}]) (?=[{_WIDE}])"), ""),
)


def readable(pieces):
    """One text of `pieces`: continuations joined, paddings and separators left out, punctuation set as people write it.

    What tokenization dropped (case, accents, the spacing around punctuation) cannot come back.
    """
    text = " ".join(piece for piece in pieces if piece not in _HIDDEN).replace(f" {CONTINUATION}", "")
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text
