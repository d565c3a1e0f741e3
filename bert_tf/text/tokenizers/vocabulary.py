"""WordPiece vocabularies: special tokens, and files of one token per line, whose line numbers are the ids."""

import itertools
import os
import pathlib
from collections.abc import Iterable, Sequence

from bert_tf.core.errors import InputError
from bert_tf.core.files import read_text, write_text

# Tokens with a meaning of their own, in the order in which a learned vocabulary begins.
PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# The usual spellings of each special token in files that do not name them, in the order of `SpecialTokens`.
SPELLINGS = (("<pad>", "[PAD]"), ("<unk>", "[UNK]"), ("<s>", "[CLS]"), ("</s>", "[SEP]"), ("<mask>", "[MASK]"))
CONTINUATION = "##"  # before a token that continues a word
RESERVED = "[unused"  # before the number of a token that has no text
# Published vocabularies have up to 10 MiB, and tokens of up to 128 characters.
MAX_BYTES, MAX_CHARS, MAX_TABLE = 2**26, 1000, 2**28


class Vocabulary(list[str]):
    """The tokens of a tokenizer that needs more than their list, with the file that defines it.

    Args:
        tokens: the tokens by id.
        file_name: the name of the file in a folder of this package.
        content: the content of the file.
    """

    def __init__(self, tokens: Iterable[str], file_name: str, content: bytes):
        super().__init__(tokens)
        self.file_name = file_name
        self.content = content

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return list(self) == other
        return (self.file_name, self.content) == (other.file_name, other.content)

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.content)

    def __reduce__(self):
        return Vocabulary, (list(self), self.file_name, self.content)


def read_vocabulary(path: str | os.PathLike) -> list[str]:
    """Reads the tokens of a vocabulary file: the number of a line is the id, as in Google's and Hugging Face's code.

    As there, blanks around a token are dropped; a blank line has an id that no text gets; and of two equal lines the
    last one counts. A byte-order mark and blank lines at the end are ignored.

    Raises:
        InputError: with file and line, where the file is not text, has no `[UNK]`, or a line is too long for a token.
            Other special tokens may be missing until they are needed.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise InputError(f"No such vocabulary: {path}")
    lines = read_text(path, MAX_BYTES).removeprefix("\ufeff").split("\n")
    tokens = [line.strip() or line.removesuffix("\r") for line in lines]  # a token may be a blank of its own
    while tokens and not tokens[-1]:
        tokens.pop()
    check_vocabulary(tokens, path)
    return tokens


def check_vocabulary(tokens: Sequence[str], source: object = "vocabulary") -> None:
    """Raises `InputError` where a list of tokens cannot be a vocabulary; `source` is named in the message."""
    if not tokens:
        raise InputError(f"{source}: empty. A vocabulary has one token per line.")
    longest = max(range(len(tokens)), key=lambda i: len(tokens[i]))
    length = len(tokens[longest])
    if length > MAX_CHARS or length * len(tokens) > MAX_TABLE:  # tokens are kept in a table as wide as the longest
        raise InputError(
            f"{source}, line {longest + 1}: a token of {length} characters among {len(tokens)} tokens. "
            f"A vocabulary has one token per line, of at most {min(MAX_CHARS, MAX_TABLE // len(tokens))} characters."
        )
    for number, token in enumerate(tokens, 1):
        if "\0" in token:
            raise InputError(f"{source}, line {number}: a NUL byte, which no text file has. Is it UTF-16? Use UTF-8.")
    if UNK not in tokens:
        raise InputError(f"{source}: no {UNK} among its {len(tokens)} tokens. It is needed for unknown words; add it.")


def matched_tokens(tokens: Sequence[str]) -> list[str]:
    """`tokens` with stand-ins that no text has for those that no text gets: blank ones, and all but the last of equals.

    A model of words cannot be built from a vocabulary with equal or empty tokens.
    """
    last = {token: i for i, token in enumerate(tokens)}
    return [token if token and last[token] == i else f"\x01{i}" for i, token in enumerate(tokens)]


def write_vocabulary(path: str | pathlib.Path, tokens: Sequence[str]) -> None:
    """Writes `tokens` to `path`, one per line, completely or not at all.

    Raises `InputError` for the `Vocabulary` of a tokenizer of another kind, which is more than its tokens.
    """
    if isinstance(tokens, Vocabulary):
        raise InputError(
            f"{path}: a list of tokens is of no use to the tokenizer of {tokens.file_name}. Write another format, or "
            "save the model as a folder of bert_tf or Hugging Face."
        )
    write_text(path, "".join(token + "\n" for token in tokens))


def fill_vocabulary(tokens: list[str], size: int) -> list[str]:
    """`tokens` and as many reserved ones, "[unused0]" and so on, as make it `size`; longer lists stay as they are."""
    known = set(tokens)
    candidates = (f"{RESERVED}{i}]" for i in range(size + len(known)))
    reserved = (token for token in candidates if token not in known)
    return tokens + list(itertools.islice(reserved, max(0, size - len(tokens))))
