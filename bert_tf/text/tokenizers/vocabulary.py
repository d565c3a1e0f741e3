"""WordPiece vocabularies: special tokens, and files of one token per line, whose line numbers are the ids."""

import itertools
import os
import pathlib
from collections.abc import Sequence

from bert_tf.core.errors import InputError
from bert_tf.core.files import write_text

# Tokens with a meaning of their own, in the order in which a learned vocabulary begins.
PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"  # before a token that continues a word
RESERVED = "[unused"  # before the number of a token that has no text


def read_vocabulary(path: str | os.PathLike) -> list[str]:
    """Reads the tokens of a vocabulary file.

    A byte-order mark, Windows line ends and blank lines at the end are ignored. Raises `InputError`, with file and
    line, where ids would be ambiguous (a duplicate token, a blank line in the middle) and where the file is not text
    or has no `[UNK]`. Other special tokens may be missing until they are needed.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"No such vocabulary: {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a vocabulary: byte {error.start} is not UTF-8 text.") from None
    tokens = [line.removesuffix("\r") for line in text.split("\n")]
    while tokens and not tokens[-1]:
        tokens.pop()
    check_vocabulary(tokens, path)
    return tokens


def check_vocabulary(tokens: Sequence[str], source: object = "vocabulary") -> None:
    """Raises `InputError` where a list of tokens cannot be a vocabulary; `source` is named in the message."""
    if not tokens:
        raise InputError(f"{source}: empty. A vocabulary has one token per line.")
    lines: dict[str, int] = {}
    for number, token in enumerate(tokens, 1):
        if not token or "\0" in token:
            what = "a blank line" if not token else "a NUL byte, which no text file has"
            raise InputError(f"{source}, line {number}: {what}. A vocabulary has one token per line.")
        if token in lines:
            raise InputError(f"{source}, line {number}: {token!r} is on line {lines[token]} too; remove one of them.")
        lines[token] = number
    if UNK not in lines:
        raise InputError(f"{source}: no {UNK} among its {len(tokens)} tokens. It is needed for unknown words; add it.")


def write_vocabulary(path: str | pathlib.Path, tokens: Sequence[str]) -> None:
    """Writes `tokens` to `path`, one per line, completely or not at all."""
    write_text(path, "".join(token + "\n" for token in tokens))


def fill_vocabulary(tokens: list[str], size: int) -> list[str]:
    """`tokens` and as many reserved ones, "[unused0]" and so on, as make it `size`; longer lists stay as they are."""
    known = set(tokens)
    candidates = (f"{RESERVED}{i}]" for i in range(size + len(known)))
    reserved = (token for token in candidates if token not in known)
    return tokens + list(itertools.islice(reserved, max(0, size - len(tokens))))
