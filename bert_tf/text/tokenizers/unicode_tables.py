"""Tables over code points of how BERT's reference tokenizer treats each character (Unicode 14.0).

The rules are those of google-research/bert, tokenization.py, class BasicTokenizer, as Python 3.11 runs them. The
Unicode version is fixed, whatever Python runs, so that a vocabulary means the same everywhere: characters assigned
later are treated as unassigned.
"""

import functools
import unicodedata

import numpy as np
import numpy.typing as npt

UNICODE_VERSION = "14.0.0"

# Properties of a character; it can have several.
SPACE = 1  # separates words
ALONE = 2  # is a word of its own: punctuation, CJK ideographs
REMOVED = 4  # leaves no trace
JOINS = 8  # is removed, and its position belongs to the character before it: accents
CASED = 16  # a letter with case, in the sense of the rule for the final sigma (Unicode 14.0, table 3-17)
CASE_IGNORABLE = 32  # is ignored by that rule

# Noncharacters that replace special tokens in a text: FIRST_SPECIAL + k for token k of vocabulary.SPECIAL_TOKENS, then
# fillers up to the length of the token, so that offsets stay as they are.
FIRST_SPECIAL, SPECIAL_FILLER, SPECIAL_LITERAL = 0xFDD0, 0xFDDF, 0xFDEF

CAPITAL_SIGMA, SMALL_SIGMA, FINAL_SIGMA = 0x3A3, 0x3C3, 0x3C2

CJK_IDEOGRAPHS = (  # ranges
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)

# Characters that Unicode 15.0 and 15.1 added (Python 3.12 and 3.13 know them).
_ADDED_LATER = (
    *((0x0CF3, 0x0CF3), (0x0ECE, 0x0ECE), (0x2FFC, 0x2FFF), (0x31EF, 0x31EF), (0x10EFD, 0x10EFF), (0x1123F, 0x11241)),
    *((0x11B00, 0x11B09), (0x11F00, 0x11F10), (0x11F12, 0x11F3A), (0x11F3E, 0x11F59), (0x1342F, 0x1342F)),
    *((0x13439, 0x13455), (0x1B132, 0x1B132), (0x1B155, 0x1B155), (0x1D2C0, 0x1D2D3), (0x1DF25, 0x1DF2A)),
    *((0x1E030, 0x1E06D), (0x1E08F, 0x1E08F), (0x1E4D0, 0x1E4F9), (0x1F6DC, 0x1F6DC), (0x1F774, 0x1F776)),
    *((0x1F77B, 0x1F77F), (0x1F7D9, 0x1F7D9), (0x1FA75, 0x1FA77), (0x1FA87, 0x1FA88), (0x1FAAD, 0x1FAAF)),
    *((0x1FABB, 0x1FABD), (0x1FABF, 0x1FABF), (0x1FACE, 0x1FACF), (0x1FADA, 0x1FADB), (0x1FAE8, 0x1FAE8)),
    *((0x1FAF7, 0x1FAF8), (0x2B739, 0x2B739)),
)

# Characters of Unicode 16.0 that ICU would decompose.
COMPOSED_LATER = (
    "\U000105c9\U000105e4\U00011383\U00011385\U0001138e\U00011391\U000113c5\U000113c7\U000113c8"
    "\U00016121-\U00016128\U00016d68-\U00016d6a"
)
# Punctuation of Unicode 15.0 to 18.0, at which newer ops split words.
PUNCTUATION_LATER = (
    "\u1b4e\u1b4f\u1b7f\u2e60\u2e61\u2e62\u2e63\U00010d6e\U00010ed0\U000113d4\U000113d5\U000113d7\U000113d8"
    "\U00011b00\U00011b01\U00011b02\U00011b03\U00011b04\U00011b05\U00011b06\U00011b07\U00011b08\U00011b09"
    "\U00011be1\U00011f43\U00011f44\U00011f45\U00011f46\U00011f47\U00011f48\U00011f49\U00011f4a\U00011f4b"
    "\U00011f4c\U00011f4d\U00011f4e\U00011f4f\U00016d6d\U00016d6e\U00016d6f\U0001e5ff"
)
NEVER_ASSIGNED = "\uffff"  # a noncharacter, and so in no vocabulary

# The tables hold planes 0 to 2, then the tags of plane 14, then one empty row: no other character has a property here.
PLANES_END = 0x30000
TAGS, _TAGS_END = 0xE0000, 0xE0200
TABLE_SIZE = PLANES_END + (_TAGS_END - TAGS) + 1
CODES = np.r_[:PLANES_END, TAGS:_TAGS_END]  # of all rows but the last


@functools.cache
def tables(
    lower_case: bool, strip_accents: bool, split_cjk: bool, special_tokens: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The result of each character: (shift of its code, int32 [TABLE_SIZE], and its properties, uint8 [TABLE_SIZE]).

    Decomposition (NFD) is not included: where accents are stripped, texts must be decomposed before. The capital
    sigma does not change, because its lower case depends on its neighbours.
    """
    shift, properties = np.zeros(TABLE_SIZE, np.int32), np.zeros(TABLE_SIZE, np.uint8)
    later = {code for first, last in _ADDED_LATER for code in range(first, last + 1)}
    for row, code in enumerate(CODES.tolist()):
        category = "Cn" if code in later else unicodedata.category(chr(code))
        if category in ("Cn", "Co", "Cs"):
            continue
        # Ideographs and syllables, most of all characters: they stay, and have no properties but those set below.
        if category == "Lo" and not unicodedata.decomposition(chr(code)):
            continue
        output = _output(code, category, lower_case, strip_accents)
        shift[row] = (output or code) - code
        properties[row] = _properties(output or code, category, output is None)
    if split_cjk:
        for first, last in CJK_IDEOGRAPHS:
            properties[first : last + 1] |= ALONE
    if special_tokens:
        properties[FIRST_SPECIAL:SPECIAL_FILLER] = ALONE
        properties[SPECIAL_FILLER] = REMOVED | JOINS
    return shift, properties


def final_sigma() -> str:
    """Regular expression of a final capital sigma with its context, in a group before and a group after it.

    It is final after a cased letter and not before one, case-ignorable ones skipped (Unicode, table 3-17).
    """
    properties = tables(False, False, False, False)[1][:-1]
    cased = CODES[properties & CASED != 0]
    ignorable = CODES[properties & (CASE_IGNORABLE | REMOVED) != 0]
    between, others = f"[{ranges(ignorable)}]*", ranges([*cased, *ignorable])
    return f"([{ranges(cased)}]{between}){chr(CAPITAL_SIGMA)}({between}(?:[^{others}]|$))"


def ranges(codes: npt.ArrayLike) -> str:
    """Code points as the content of a character class of a regular expression (RE2)."""
    codes = np.unique(codes)
    begins = np.flatnonzero(np.diff(codes, prepend=-2) > 1)
    ends = np.append(begins[1:], len(codes)) - 1
    return "".join(f"\\x{{{codes[a]:x}}}-\\x{{{codes[b]:x}}}" for a, b in zip(begins, ends, strict=True))


def _output(code, category, lower_case, strip_accents):
    """The code point that replaces a (decomposed) one; None where it is removed."""
    if chr(code) in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
        return ord(" ")
    if category in ("Cc", "Cf") or code == 0xFFFD or (strip_accents and category == "Mn"):
        return None
    if not lower_case or code == CAPITAL_SIGMA:
        return code
    lowered = chr(code).lower()
    if strip_accents:
        lowered = "".join(c for c in unicodedata.normalize("NFD", lowered) if unicodedata.category(c) != "Mn")
    # U+0130, the only character whose lower case is longer, is decomposed before the tables are used.
    return ord(lowered) if len(lowered) == 1 else code


def _properties(output, category, removed):
    if removed:
        return REMOVED | (JOINS if category == "Mn" else 0)
    if output == ord(" "):
        return SPACE
    character = chr(output)
    found = 0
    if unicodedata.category(character).startswith("P") or (output < 128 and not character.isalnum()):
        found |= ALONE
    # Python applies the rule of the final sigma: it is final after a cased letter, case-ignorable ones skipped.
    if _ends_word(character):
        found |= CASED
    elif _ends_word("A" + character):
        found |= CASE_IGNORABLE
    return found


def _ends_word(text):
    return (text + "\u03a3").lower().endswith("\u03c2")
