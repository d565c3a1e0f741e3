"""Splits paragraphs into sentences: English, Chinese, and languages with the same punctuation."""

import itertools
import re

MAX_CHARS = 2000  # longer "sentences" (tables, text without full stops) are cut at a space

# A full stop, then closing quotation marks or brackets. A full-width stop always ends a sentence, an ASCII stop only
# before a space and a character that can begin a sentence.
_CLOSERS = "\"'”’»」』）】》)\\]"
_END = re.compile(rf"[。！？｡]+[{_CLOSERS}]*|(?:[.!?]+|…)(?: ?''|[{_CLOSERS}])*(?=\s+[\"'“‘«「(\[¿¡`]*\s*[^\W_a-z])")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘«]+\Z")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+\Z")  # "J.", "U.S.", "e.g."

# Words that are written with a full stop and seldom end a sentence.
_ABBREVIATED = """
adm assn ave bros capt cf co col corp cpl dept dr ed eds fr gen gov hon inc jan feb mar apr jun jul aug sep sept oct nov
dec jr lt ltd maj messrs mlle mme mr mrs ms msgr mt pres prof rep reps rev sen sens sgt sr st ste supt v viz vs
"""
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_BEFORE_NUMBERS = frozenset(("no", "nos", "fig", "figs", "op", "p", "pp", "vol", "vols"))


def split_sentences(text: str) -> list[str]:
    """The sentences of one paragraph, stripped, in order; together they have all of its words."""
    sentences, start = [], 0
    for match in _END.finditer(text):
        if _is_abbreviation(text, start, match):
            continue
        sentences.append(text[start : match.end()])
        start = match.end()
    sentences.append(text[start:])
    stripped = (sentence.strip() for sentence in sentences)
    return list(itertools.chain.from_iterable(map(_cut, stripped)))


def _is_abbreviation(text, start, match):
    if match.group() != ".":
        return False
    # 20 characters are enough for every abbreviation; a word that begins before them is longer than any.
    word = _LAST_WORD.search(text, max(start, match.start() - 20), match.end())
    if not word:
        return False
    name = word[0][:-1].lower()
    before_number = name in _BEFORE_NUMBERS and text[match.end() : match.end() + 2].lstrip()[:1].isdigit()
    return before_number or name in _ABBREVIATIONS or bool(_INITIALS.match(word[0]))


def _cut(sentence):
    while len(sentence) > MAX_CHARS:
        end = sentence.rfind(" ", 1, MAX_CHARS) + 1 or MAX_CHARS
        yield sentence[:end].rstrip()
        sentence = sentence[end:].lstrip()
    if sentence:
        yield sentence
