"""The published tokenization algorithm of BERT in plain Python, character by character: what the graph must equal."""

import unicodedata


def basic_words(text, lower_case=True, strip_accents=None, split_cjk=True):
    """Words of `text`: clean, split at blanks and ideographs, fold case, strip accents, split at punctuation."""
    strip_accents = lower_case if strip_accents is None else strip_accents
    spaced = "".join(_space_out(c, split_cjk) for c in text)
    words = []
    for word in spaced.split():
        word = word.lower() if lower_case else word
        if strip_accents:
            word = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
        words += "".join(f" {c} " if _is_punctuation(c) else c for c in word).split()
    return words


def pieces_of_word(word, vocabulary, max_word_chars=200, unknown="[UNK]"):
    """Longest pieces first, from the left; one unknown piece where that fails or the word is too long."""
    found, start = [], 0
    if len(word) > max_word_chars:
        return [unknown]
    while start < len(word):
        candidates = (("##" if start else "") + word[start:end] for end in range(len(word), start, -1))
        piece = next((c for c in candidates if c in vocabulary), None)
        if piece is None:
            return [unknown]
        found.append(piece)
        start += len(piece) - (2 if start else 0)
    return found


def _space_out(c, split_cjk):
    if c in " \t\n\r" or unicodedata.category(c) == "Zs":
        return " "
    if c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf"):
        return ""
    return f" {c} " if split_cjk and _is_ideograph(ord(c)) else c


def _is_punctuation(c):
    return (
        33 <= ord(c) <= 47
        or 58 <= ord(c) <= 64
        or 91 <= ord(c) <= 96
        or 123 <= ord(c) <= 126
        or (unicodedata.category(c).startswith("P"))
    )


def _is_ideograph(code):
    # Extensions C, D and E follow each other without a gap.
    unified = 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF
    extended = 0x20000 <= code <= 0x2A6DF or 0x2A700 <= code <= 0x2CEAF
    return unified or extended or 0xF900 <= code <= 0xFAFF or 0x2F800 <= code <= 0x2FA1F
