"""WordPiece vocabularies: their special tokens, and their files of one token a line, whose line numbers are the ids."""

import itertools
import pathlib

from bert_tf.core.errors import InputError
from bert_tf.core.files import write_text

# Tokens with a meaning of their own, in the order in which a learned vocabulary begins.
PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"  # before a token that continues a word
RESERVED = "[unused"  # before the number of a token that has no text


def read_vocabulary(path):
    """Reads the pieces of a vocabulary file.

    A byte-order mark, Windows line ends and blank lines at the end are dropped. Raises `InputError`, with file and
    line, where ids would be ambiguous (a piece twice, a blank line in the middle) and where the file is not text or
    has no `[UNK]`. Other special tokens may be missing: what needs them says so when it is used.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"No such vocabulary: {path}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a vocabulary: byte {error.start} is not UTF-8 text.") from None
    pieces = [line.removesuffix("\r") for line in text.split("\n")]
    while pieces and not pieces[-1]:
        pieces.pop()
    check_vocabulary(pieces, path)
    return pieces


def check_vocabulary(pieces, source="vocabulary"):
    """Raises `InputError` where a list of pieces cannot be a vocabulary; `source` is named in the message."""
    if not pieces:
        raise InputError(f"{source}: empty. A vocabulary has one piece a line.")
    lines = {}
    for number, piece in enumerate(pieces, 1):
        if not piece or "\0" in piece:
            what = "a blank line" if not piece else "a NUL byte, which no text file has"
            raise InputError(f"{source}, line {number}: {what}. A vocabulary has one piece a line.")
        if piece in lines:
            raise InputError(
                f"{source}, line {number}: {piece!r} stands on line {lines[piece]} too; remove one of them."
            )
        lines[piece] = number
    if UNK not in lines:
        raise InputError(f"{source}: no {UNK} among its {len(pieces)} pieces. Words that cannot be spelled need it.")


def write_vocabulary(path, pieces):
    """Writes `pieces` one a line to `path`, whole or not at all."""
    write_text(path, "".join(piece + "\n" for piece in pieces))


def fill_vocabulary(tokens: list[str], size: int) -> list[str]:
    """`tokens` and as many reserved ones, "[unused0]" and so on, as make it `size`; longer lists stay as they are."""
    known = set(tokens)
    candidates = (f"{RESERVED}{i}]" for i in range(size + len(known)))
    reserved = (token for token in candidates if token not in known)
    return tokens + list(itertools.islice(reserved, max(0, size - len(tokens))))
