"""Pre-tokens of texts as GPT-2's tokenizer splits them, which no token crosses, and composition of characters.

Characters are classified as Hugging Face's `tokenizers` (0.23) do: letters, numbers and white space by Unicode 16.0,
canonical composition (NFC) by Unicode 9.0. TensorFlow's ops have other versions; the differences are listed here.
"""

import re
import unicodedata
from collections.abc import Iterable

import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.text.tokenizers.unicode_tables import ranges

# Letters and numbers that Unicode 16.0 added to those of TensorFlow's regular expressions.
_LETTERS_LATER = (
    "1c89-1c8a a7cb-a7cd a7da-a7dc 105c0-105f3 10d4a-10d65 10d6f-10d85 10ec2-10ec4 11380-11389 1138b 1138e 11390-113b5 "
    "113b7 113d1 113d3 11bc0-11be0 13460-143fa 16100-1611d 16d40-16d6c 18cff 1e5d0-1e5ed 1e5f0 2ebf0-2ee5d"
)
_NUMBERS_LATER = "10d40-10d49 116d0-116e3 11bf0-11bf9 16130-16139 16d70-16d79 1ccf0-1ccf9 1e5f1-1e5fa"
# Characters after Unicode 9.0 that are reordered or composed today: composition by Unicode 9.0 stops at them.
_NOT_COMPOSED = (
    "7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1ace 1df6-1dfa a82c 105c9 105d2 105da 105e4 10d24-10d27 "
    "10d69-10d6d 10eab-10eac 10efd-10eff 10f46-10f50 10f82-10f85 11070 1133b 11382-11385 1138b 1138e 11390-11391 113c2 "
    "113c5 113c7-113c8 113ce-113d0 1145e 11839-1183a 11935 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42 "
    "11d44-11d45 11d97 11f41-11f42 1611e 16121-16129 1612f 16d63 16d67-16d6a 16ff0-16ff1 1e08f 1e130-1e136 1e2ae "
    "1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef"
)


def _classes(ranges: str) -> str:
    """Ranges of hexadecimal code points as the content of a character class (RE2)."""
    return "".join("-".join(rf"\x{{{code}}}" for code in part.split("-")) for part in ranges.split())


_SPACE = r"\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_LETTER = r"\p{L}" + _classes(_LETTERS_LATER)
_NUMBER = r"\p{N}" + _classes(_NUMBERS_LATER)
SPACES = f"[{_SPACE}]+"
# Of several blanks before a word the last belongs to the word: GPT-2's rule, which RE2, without lookahead, cannot state
# in one expression.
_LAST_SPACE = f"^([{_SPACE}]+)([{_SPACE}][^{_SPACE}])"
_LARGEST_CLASS = 200_000  # in letters: what RE2 compiles
# Marks a border. Not in any UTF-8 text: no text has a border of its own.
BORDER = b"\xff\xfe\xff"


def chunks(texts: tf.Tensor) -> tf.RaggedTensor:
    """Cuts texts [N] before white space: [N, (chunks)] without loss. Every such cut is one between pre-tokens."""
    return tf.strings.split(tf.strings.regex_replace(texts, SPACES, BORDER + rb"\0"), BORDER)


def pre_token_pattern(cuts: str = "") -> str:
    """Regular expression of pre-tokens; those of letters end after a letter of `cuts`, ranges from `cuts_of`."""
    words = f" ?[{_LETTER}]+"
    if cuts:
        others = rf"(?:[^\P{{L}}{cuts}]|[{_classes(_LETTERS_LATER)}])"  # RE2 has no difference of classes
        words = f" ?{others}*[{cuts}]| ?{others}+"
    signs = f" ?[^{_SPACE}{_LETTER}{_NUMBER}]+"
    return f"'s|'t|'re|'ve|'m|'ll|'d|{words}| ?[{_NUMBER}]+|{signs}|[{_SPACE}]+"


def pre_tokens(chunks: tf.Tensor, pattern: str) -> tf.RaggedTensor:
    """The pre-tokens of chunks [M] of `chunks`, by a `pre_token_pattern`: [M, (pre-tokens)], the last one empty."""
    marked = tf.strings.regex_replace(chunks, _LAST_SPACE, rb"\1" + BORDER + rb"\2")
    return tf.strings.split(tf.strings.regex_replace(marked, pattern, rb"\0" + BORDER), BORDER)


def cuts_of(tokens: Iterable[bytes]) -> str:
    """Ranges of letters after which no token goes on, those of three bytes in UTF-8; "" for none.

    Nothing is merged across such a place. So the long pre-tokens of Chinese, which has no blanks, fall into characters,
    and a batch has few distinct ones.
    """
    followed, endings = set(), set()  # characters, and last bytes of characters, that a token has before another one
    for token in tokens:
        for i in range(1, len(token)):
            if token[i] & 0xC0 != 0x80:  # a character begins
                character = re.search(rb"[^\x80-\xbf][\x80-\xbf]*$", token[:i])
                if character:
                    followed.add(character[0])
                else:
                    endings.add(token[i - 1])
    free = [code for code in _letters() if 0x80 | code & 0x3F not in endings and chr(code).encode() not in followed]
    pattern = ranges(free) if free else ""
    return pattern if len(pattern) < _LARGEST_CLASS else ""


def _letters():
    """Code points of letters of three bytes, without those added later."""
    return [code for code in range(0x800, 0x10000) if unicodedata.category(chr(code)).startswith("L")]


def compose(texts: tf.Tensor) -> tf.Tensor:
    """Texts [N] in normal form C of Unicode 9.0."""
    parts = tf.strings.regex_replace(texts, f"[{_classes(_NOT_COMPOSED)}]", BORDER + rb"\0" + BORDER)
    parts = tf.strings.split(parts, BORDER)
    return tf.strings.reduce_join(parts.with_values(tf_text.normalize_utf8(parts.values, "NFC")), axis=1)
