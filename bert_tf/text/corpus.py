"""Streams text of any size from files: plain or gzipped, one paragraph a line, or JSON lines."""

import collections
import glob
import itertools
import operator
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from bert_tf.core.errors import InputError
from bert_tf.core.files import parse_json
from bert_tf.text.lines import CHUNK_BYTES, MAX_ROW_BYTES, byte_lines, describe_encoding, is_utf8, not_utf8
from bert_tf.text.sentences import split_sentences

_MAX_INVALID = 0.01  # share of lines that are not UTF-8 above which the text must be of another encoding
_SURE_LINES = 1000  # the share is judged when so many lines are read, and at the end


def find_files(patterns: str | pathlib.Path | Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Finds the files that match `patterns`.

    Args:
        patterns: files, folders (searched recursively, without hidden files) and globs (with `**`), in a list or in
            a string separated by commas.

    Returns:
        Sorted `pathlib.Path`s without duplicates. Raises `InputError` for a pattern that is empty or matches nothing.
    """
    received = str(patterns)
    if isinstance(patterns, str | pathlib.Path):
        whole = pathlib.Path(patterns)
        patterns = [part.strip() for part in received.split(",")]
        if received.strip() and whole.exists():
            patterns = [whole]
    files = set()
    for pattern in patterns:
        if not str(pattern):  # pathlib reads it as the working directory
            raise InputError(f"Received an empty name among the input files {received!r}. Remove the extra comma.")
        found = _match(pathlib.Path(pattern).expanduser())
        if not found:
            raise InputError(f"No file matches {str(pattern)!r} (searched from {pathlib.Path.cwd()}).")
        files.update(found)
    if not files:
        raise InputError("Received no input files. Name files, folders or globs.")
    return sorted(files)


def unpacked_bytes(path: pathlib.Path) -> int:
    """Bytes of a file's text; for `.gz` from its trailer, which counts modulo 4 GiB and the last member only."""
    if path.suffix != ".gz" or not path.is_file():
        return path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4))
        return int.from_bytes(file.read(4), "little")


def _match(path):
    paths = [path] if path.exists() else [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
    found = []
    for item in paths:
        if item.is_dir():
            inside = (file for file in item.rglob("*") if file.is_file())
            found += [file for file in inside if not any(p.startswith(".") for p in file.relative_to(item).parts)]
        else:
            found.append(item)
    return found


def read_lines(
    path: str | os.PathLike,
    field: str | None = None,
    strict: bool = False,
    counts: collections.Counter | None = None,
    encoding: str | None = None,
) -> Iterator[str]:
    """Streams the lines of one file as text, without line ends, in constant memory.

    Byte-order marks and NUL bytes are removed and CRLF is read as a line end. A line much longer than `CHUNK_BYTES`
    is yielded in several parts, cut at spaces. For JSON lines (`.jsonl`, `.ndjson`, or any file where `field` is
    given) the text under `field` is yielded line by line, with an empty line after each row.

    Args:
        path: a file; `.gz` is decompressed while reading.
        field: the key of the text in each row of a JSON lines file; None means "text".
        strict: whether invalid UTF-8 raises `InputError`, with file and line, instead of being replaced.
        counts: a `collections.Counter` to which "bytes", "lines", "invalid_utf8_lines", "nul_bytes" and
            "long_lines" are added.
        encoding: of the file, by Python's name; what cannot be decoded counts as invalid UTF-8. None: UTF-8, and
            `InputError` after 1,000 lines of which over a hundredth are something else.

    Raises:
        ConfigError: the encoding is unknown.
        InputError: the file is not text, damaged, or not UTF-8 where `strict`.
    """
    path = pathlib.Path(path)
    counts = collections.Counter() if counts is None else counts
    decode = _Decoder(path, strict, counts, encoding)
    if field is not None or _stem_suffix(path) in (".jsonl", ".ndjson"):
        return _json_lines(path, field or "text", decode)
    return _text_lines(path, decode)


def check_encoding(counts: collections.Counter, paths: Sequence[pathlib.Path], encoding: str | None) -> None:
    """Raises `InputError` where over a hundredth of all lines read is not UTF-8, unless the encoding was given.

    Args:
        counts: as `read_lines` fills them.
        paths: the files that were read, to tell what they look like.
        encoding: as for `read_lines`.
    """
    invalid, lines = counts["invalid_utf8_lines"], counts["lines"]
    if encoding is None and invalid > _MAX_INVALID * lines:
        path, look = _find_other_encoding(paths)
        raise InputError(f"{path}: {invalid:,} of {lines:,} lines of text are not UTF-8. {look}")


def read_documents(
    paths: Iterable[pathlib.Path],
    field: str | None = None,
    strict: bool = False,
    split: bool = True,
    counts: collections.Counter | None = None,
    encoding: str | None = None,
) -> Iterator[list[str]]:
    """Streams documents as lists of sentences; a blank line and the end of a file or JSON row end a document.

    Args:
        paths: files, as `find_files` returns them.
        field, strict, counts, encoding: as in `read_lines`.
        split: whether a line is a paragraph to be split into sentences; else each line is one sentence.
    """
    parts = read_parts(paths, field, strict, counts, encoding=encoding)
    for _, document in itertools.groupby(parts, key=operator.itemgetter(0)):
        yield [sentence for _, lines in document for sentence in to_sentences(lines, split)]


def read_parts(
    paths: Iterable[pathlib.Path],
    field: str | None = None,
    strict: bool = False,
    counts: collections.Counter | None = None,
    part_chars: int = CHUNK_BYTES,
    encoding: str | None = None,
) -> Iterator[tuple[int, list[str]]]:
    """Streams `(document number, lines)`; a document longer than `part_chars` is yielded in several parts.

    Arguments as for `read_documents`; "documents" are counted too.
    """
    counts = collections.Counter() if counts is None else counts
    number = 0
    for path in paths:
        lines, size, counted = [], 0, False
        for line in itertools.chain(read_lines(path, field, strict, counts, encoding), [""]):
            blank = not line or line.isspace()
            if not blank:
                lines.append(line)
                size += len(line)
            if lines and (blank or size >= part_chars):
                counts["documents"] += not counted
                yield number, lines
                lines, size, counted = [], 0, True
            if blank:
                number, counted = number + 1, False


def to_sentences(lines: Iterable[str], split: bool = True) -> list[str]:
    """The sentences of a document's lines: each line split into sentences, or taken as one."""
    if not split:
        return [line.strip() for line in lines]
    return [sentence for line in lines for sentence in split_sentences(line)]


class _Decoder:
    """Decodes the bytes of a line, and counts what had to be replaced or removed."""

    def __init__(self, path: pathlib.Path, strict: bool, counts: collections.Counter, encoding: str | None):
        self.path, self.strict, self.counts, self.encoding = path, strict, counts, encoding
        if encoding:
            is_utf8(encoding)  # refuses unknown names

    def __call__(self, line: bytes, number: int) -> str:
        self.counts["lines"] += 1
        if b"\0" in line:
            self.counts["nul_bytes"] += line.count(b"\0")
            line = line.replace(b"\0", b"")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            if self.strict:
                problem = not_utf8(line, self.encoding)
                look = "" if self.encoding else f" {describe_encoding(self.path)}"
                raise InputError(f"{self.path}, line {number}: {problem}.{look}") from None
            self.counts["invalid_utf8_lines"] += 1
            if self.counts["lines"] >= _SURE_LINES:
                check_encoding(self.counts, [self.path], self.encoding)
            return line.decode("utf-8", "replace")


def _find_other_encoding(paths: Sequence[pathlib.Path]) -> tuple[pathlib.Path, str]:
    """The first file that is not UTF-8, and what it looks like."""
    for path in paths:
        if any(not_utf8(line) for _, line, _ in byte_lines(path, CHUNK_BYTES)):
            return path, describe_encoding(path)
    return paths[0], "--encoding=NAME reads other encodings."  # a pipe, which cannot be read again


def _text_lines(path: pathlib.Path, decode: _Decoder) -> Iterator[str]:
    """Streams the lines of a text; a long one in parts."""
    inside = False  # of a line that is longer than a part
    for number, line, ends in byte_lines(path, CHUNK_BYTES, decode.encoding, decode.counts):
        if not ends and not inside:
            decode.counts["long_lines"] += 1
        inside = not ends
        yield decode(line.removesuffix(b"\r") if ends else line, number)


def _json_lines(path: pathlib.Path, field: str, decode: _Decoder) -> Iterator[str]:
    """Streams the paragraphs under `field` of each row, and an empty line after each."""
    for number, line, ends in byte_lines(path, MAX_ROW_BYTES, decode.encoding, decode.counts):
        if not ends:
            raise InputError(
                f"{path}, line {number}: a JSON row of over {MAX_ROW_BYTES >> 20} MiB, which cannot be read in parts. "
                "Split the document, or give it as plain text."
            )
        if not line.strip():
            continue
        text = _json_text(f"{path}, line {number}", decode(line, number), field)
        for paragraph in text.splitlines():
            for start in range(0, len(paragraph), CHUNK_BYTES):
                yield paragraph[start : start + CHUNK_BYTES]
        yield ""


def _json_text(place: str, line: str, field: str) -> str:
    row = parse_json(line, place)
    if not isinstance(row, dict) or not isinstance(row.get(field), str):
        received = f"the keys {', '.join(map(repr, row))}" if isinstance(row, dict) else f"a {type(row).__name__}"
        raise InputError(f"{place}: no text under the field {field!r}. Received: {received}.")
    return row[field]


def _stem_suffix(path):
    return pathlib.Path(path.stem if path.suffix == ".gz" else path.name).suffix
