"""Streams text of any size from files: plain or gzipped, one paragraph a line, or JSON lines."""

import codecs
import collections
import glob
import gzip
import itertools
import json
import operator
import os
import pathlib
import zlib
from collections.abc import Iterable, Iterator

from bert_tf.core.errors import InputError
from bert_tf.text.sentences import split_sentences

CHUNK_BYTES = 1 << 20  # read at once, and the length above which a line is cut
MAX_JSON_BYTES = 32 << 20  # a JSON row cannot be parsed in parts
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"


def find_files(patterns: str | pathlib.Path | Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Finds the files that match `patterns`.

    Args:
        patterns: files, folders (searched recursively, without hidden files) and globs (with `**`), in a list or in
            a string separated by commas.

    Returns:
        Sorted `pathlib.Path`s without duplicates. Raises `InputError` for a pattern that matches nothing.
    """
    if isinstance(patterns, str | pathlib.Path):
        whole = pathlib.Path(patterns)
        patterns = [whole] if whole.exists() else [part.strip() for part in str(patterns).split(",")]
    files = set()
    for pattern in patterns:
        found = _match(pathlib.Path(pattern).expanduser())
        if not found:
            raise InputError(f"No file matches {str(pattern)!r} (searched from {pathlib.Path.cwd()}).")
        files.update(found)
    if not files:
        raise InputError("Received no input files. Name files, folders or globs.")
    return sorted(files)


def unpacked_bytes(path: pathlib.Path) -> int:
    """Bytes of a file's text; for `.gz` from its trailer, which counts modulo 4 GiB and the last member only."""
    if path.suffix != ".gz":
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

    Raises:
        InputError: the file is not text, damaged, or not UTF-8 where `strict`.
    """
    path = pathlib.Path(path)
    counts = collections.Counter() if counts is None else counts
    decode = _Decoder(path, strict, counts)
    if field is not None or _stem_suffix(path) in (".jsonl", ".ndjson"):
        return _json_lines(path, field or "text", decode)
    return (decode(line, number) for number, line in _byte_lines(path, CHUNK_BYTES, counts))


def read_documents(
    paths: Iterable[pathlib.Path],
    field: str | None = None,
    strict: bool = False,
    split: bool = True,
    counts: collections.Counter | None = None,
) -> Iterator[list[str]]:
    """Streams documents as lists of sentences; a blank line and the end of a file or JSON row end a document.

    Args:
        paths: files, as `find_files` returns them.
        field, strict, counts: as in `read_lines`.
        split: whether a line is a paragraph to be split into sentences; else each line is one sentence.
    """
    parts = read_parts(paths, field, strict, counts)
    for _, document in itertools.groupby(parts, key=operator.itemgetter(0)):
        yield [sentence for _, lines in document for sentence in to_sentences(lines, split)]


def read_parts(
    paths: Iterable[pathlib.Path],
    field: str | None = None,
    strict: bool = False,
    counts: collections.Counter | None = None,
    part_chars: int = CHUNK_BYTES,
) -> Iterator[tuple[int, list[str]]]:
    """Streams `(document number, lines)`; a document longer than `part_chars` is yielded in several parts.

    Arguments as for `read_documents`; "documents" are counted too.
    """
    counts = collections.Counter() if counts is None else counts
    number = 0
    for path in paths:
        lines, size, counted = [], 0, False
        for line in itertools.chain(read_lines(path, field, strict, counts), [""]):
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

    def __init__(self, path, strict, counts):
        self.path, self.strict, self.counts = path, strict, counts

    def __call__(self, line, number):
        self.counts["lines"] += 1
        if b"\0" in line:
            self.counts["nul_bytes"] += line.count(b"\0")
            line = line.replace(b"\0", b"")
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            if self.strict:
                raise InputError(
                    f"{self.path}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x} at byte {error.start}). "
                    "Convert the file, or leave strict off to replace such bytes."
                ) from None
            self.counts["invalid_utf8_lines"] += 1
            return line.decode("utf-8", "replace")


def _json_lines(path, field, decode):
    for number, line in _byte_lines(path, MAX_JSON_BYTES, decode.counts):
        if not line.strip():
            continue
        text = _json_text(path, number, decode(line, number), field)
        for paragraph in text.splitlines():
            for start in range(0, len(paragraph), CHUNK_BYTES):
                yield paragraph[start : start + CHUNK_BYTES]
        yield ""


def _json_text(path, number, line, field):
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {number}: not JSON ({error.msg} at column {error.colno}).") from None
    if not isinstance(row, dict) or not isinstance(row.get(field), str):
        received = f"the keys {', '.join(map(repr, row))}" if isinstance(row, dict) else f"a {type(row).__name__}"
        raise InputError(f"{path}, line {number}: no text under the field {field!r}. Received: {received}.")
    return row[field]


def _byte_lines(path, longest, counts):
    """Yields `(line number, bytes)`; a line of over `longest` bytes is cut into parts, or refused if it is JSON."""
    number, rest, parts = 1, b"", 0
    for chunk in _chunks(path):
        counts["bytes"] += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield number, line.removesuffix(b"\r")
            number += 1
            parts = 0
        while len(rest) > longest:
            if longest == MAX_JSON_BYTES:
                raise InputError(
                    f"{path}, line {number}: a JSON row of over {MAX_JSON_BYTES >> 20} MiB, which cannot be read in "
                    "parts. Split the document, or give it as plain text."
                )
            counts["long_lines"] += not parts
            parts += 1
            end = _place_to_cut(rest, longest)
            yield number, rest[:end]
            rest = rest[end:]
    if rest:
        yield number, rest.removesuffix(b"\r")


def _place_to_cut(line, longest):
    """The position after the last space within `longest` bytes, else one between two characters."""
    end = line.rfind(b" ", longest // 2, longest) + 1
    if not end:
        end = longest
        while end > longest - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
    return end


def _chunks(path):
    """Yields the bytes of a file, unpacked, without the byte-order mark; raises `InputError` if it is not text."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
            first = file.read(CHUNK_BYTES)
            _refuse_binary(path, first)
            yield first.removeprefix(codecs.BOM_UTF8)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error}).") from None


def _refuse_binary(path, first):
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{path}: UTF-16, not UTF-8. Convert it, for example with iconv -f UTF-16 -t UTF-8.")
    sample = first[: 1 << 16]
    strange = len(sample) - len(sample.translate(None, _CONTROL))
    if strange > 0.05 * len(sample):
        raise InputError(
            f"{path}: not text ({100 * strange / len(sample):.0f} % of its first {len(sample):,} bytes are control "
            "characters). Name text files, .gz or JSON lines."
        )


def _stem_suffix(path):
    return pathlib.Path(path.stem if path.suffix == ".gz" else path.name).suffix
