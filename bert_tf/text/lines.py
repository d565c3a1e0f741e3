"""Lines of text files: plain or gzipped, of any encoding and size, in bounded memory."""

import codecs
import collections
import gzip
import os
import pathlib
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.files import open_regular

CHUNK_BYTES = 1 << 20  # read at once
MAX_ROW_BYTES = 32 << 20  # a row of a table or of JSON lines, which cannot be read in parts

_MAX_RATIO, _FREE_BYTES = 250, 256 << 20  # a .gz that unpacks to more than both is no text
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
STDIN = "/dev/stdin"
_INHERITED = re.compile(r"/dev/fd/\d+|/proc/self/fd/\d+")  # pipes that the shell opened, as for bash's <(command)
_MARK = "bert_tf_mark"  # error handler: an undecodable byte becomes 0xff, which UTF-8 never has
# Frequent characters of the languages that are written in an encoding, and their usual share of all characters outside
# of ASCII. Text that is decoded by another encoding has few of them.
_CHINESE = "的一是不了在人有我他中上大和到以要就出可也你能而子那得自之年下好很都没去看道天心前所面小多么"
_KANA = "のにはをたがでとしれさあいうかきくこすせそちっつなまみもやよらりる"
_HANGUL = "이다의는에을를가고하은로한도지서기사인대어리나자해시정일라"
_CYRILLIC = "оеаинтсрвлкмдпуяыь"
_LATIN = "éèàáâêëíîïóôöúûüäåæøßñçãõÉÄÖÜœ’“”–—…"
_FREQUENT = {
    "gb18030": (0.3, _CHINESE + "这个们来为国说时会对生着过发后作里這個們來為國說時會對著過發後裡"),
    "big5": (0.3, _CHINESE + "這個們來為國說時會對生於著過發後作裡"),
    "shift_jis": (0.5, _KANA),
    "euc_jp": (0.5, _KANA),
    "euc_kr": (0.35, _HANGUL),
    "cp1251": (0.85, _CYRILLIC),
    "koi8_r": (0.85, _CYRILLIC),
    "cp1252": (0.9, _LATIN),
}
_MIN_LIKELIHOOD = 0.4  # of the usual share


def byte_lines(
    path: pathlib.Path, longest: int, encoding: str | None = None, counts: collections.Counter | None = None
) -> Iterator[tuple[int, bytes, bool]]:
    """Streams a file as (line number from 1, bytes without the line feed, whether the line ends with them).

    Args:
        path: a regular file, or a pipe that this process inherited; `.gz` is decompressed while reading.
        longest: bytes above which a line comes in parts, each cut after a space or between two characters.
        encoding: of the file; the lines are UTF-8, with a byte 0xff for what cannot be decoded. None: the bytes of the
            file, without its byte-order mark.
        counts: "bytes" is added to it.

    Raises:
        ConfigError: the encoding is unknown.
        InputError: the file is missing, not text, a damaged `.gz`, a pipe or a device.
    """
    counts = collections.Counter() if counts is None else counts
    number, rest = 1, bytearray()
    for chunk in _chunks(path, encoding):
        counts["bytes"] += len(chunk)
        *lines, last = chunk.split(b"\n")
        for line in lines:
            yield number, bytes(rest) + line if rest else line, True
            number += 1
            rest.clear()
        rest += last
        while len(rest) > longest:
            end = place_to_cut(rest, longest)
            yield number, bytes(rest[:end]), False
            del rest[:end]
    if rest:
        yield number, bytes(rest), True


def not_utf8(line: bytes, encoding: str | None = None) -> str | None:
    """Why a line of `byte_lines` is not text, None where it is."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        if encoding and not is_utf8(encoding):
            return f"not {encoding} (before character {len(line[: error.start].decode('utf-8'))})"
        return f"not UTF-8 (byte 0x{line[error.start]:02x} at byte {error.start})"
    return None


def is_utf8(encoding: str) -> bool:
    """Whether an encoding is UTF-8, by any of its names; `ConfigError` for an unknown one."""
    try:
        codecs.getincrementaldecoder(encoding)
        b"  ".decode(encoding, "ignore")  # raises for codecs of bytes, such as base64
        return codecs.lookup(encoding).name == "utf-8"
    except (LookupError, ValueError):
        raise ConfigError(
            f"Received: encoding={encoding!r}. Encodings are those of Python, such as utf-8, gb18030 or cp1252."
        ) from None


def describe_encoding(path: pathlib.Path) -> str:
    """Describes in one sentence the encoding that a file seems to have, and how to read it."""
    sample, size = [], 0
    for _, line, _ in byte_lines(path, CHUNK_BYTES):
        if not line.isascii() and not_utf8(line):
            sample.append(line)
            size += len(line)
        if size > 1 << 16:
            break
    name = guess_encoding(b"\n".join(sample))
    if name == "utf-8":
        return "Most of it is UTF-8 with damaged bytes; --encoding=utf-8 replaces them."
    if name:
        return f"It looks like {name}; --encoding={name} reads it."
    return "--encoding=NAME reads other encodings; --encoding=utf-8 replaces the bytes."


def guess_encoding(sample: bytes) -> str | None:
    """The encoding, of those in wide use, that a text which is not UTF-8 most likely has; None: none of them."""
    outside = [c for c in sample.decode("utf-8", "replace") if not c.isascii()]
    if outside.count("\ufffd") < 0.5 * len(outside):
        return "utf-8"
    likelihood = {}
    for name, (share, frequent) in _FREQUENT.items():
        decoded = [c for c in sample.decode(name, "replace") if not c.isascii()]
        likelihood[name] = sum(c in frequent for c in decoded) / (share * max(1, len(decoded)))
    best = max(likelihood, key=likelihood.__getitem__)
    return best if likelihood[best] >= _MIN_LIKELIHOOD else None


def _chunks(path: pathlib.Path, encoding: str | None) -> Iterator[bytes]:
    """Streams the bytes of a file: unpacked, in UTF-8, without a byte-order mark."""
    with _open(path) as file:
        chunks = _unpacked(path, file) if path.suffix == ".gz" else iter(lambda: file.read(CHUNK_BYTES), b"")
        if encoding and not is_utf8(encoding):
            chunks = _transcoded(chunks, encoding)
        first = next(chunks, b"")
        _refuse_binary(path, first)
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from chunks


def _open(path: pathlib.Path) -> BinaryIO:
    """Opens a regular file, or a pipe that this process inherited."""
    if str(path) == STDIN:
        return os.fdopen(os.dup(0), "rb")  # also where it is a socket, which cannot be opened by a name
    if _INHERITED.fullmatch(str(path)) and not stat.S_ISREG(path.stat().st_mode):
        return path.open("rb")
    if not path.exists():
        raise InputError(f"No such file: {path} (looked for from {pathlib.Path.cwd()}).")
    return open_regular(path)


def _unpacked(path: pathlib.Path, file: BinaryIO) -> Iterator[bytes]:
    """Streams the content of a `.gz` file."""
    size, packed = 0, os.fstat(file.fileno()).st_size
    try:
        with gzip.open(file) as unpacked:
            while chunk := unpacked.read(CHUNK_BYTES):
                size += len(chunk)
                if size > max(_FREE_BYTES, _MAX_RATIO * packed):
                    raise InputError(f"{path} unpacks to over {_MAX_RATIO} times its size, which no text does.")
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: damaged gzip file ({error}).") from None


def _transcoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Streams text of another encoding as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)(_MARK)
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", _MARK)
    yield decoder.decode(b"", final=True).encode("utf-8", _MARK)


def _mark(error: UnicodeError) -> tuple[str | bytes, int]:
    """Error handler: half a surrogate pair for what cannot be decoded, and the byte 0xff when that is encoded."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return b"\xff" * (error.end - error.start), error.end
    raise error


codecs.register_error(_MARK, _mark)


def place_to_cut(line: bytes | bytearray, longest: int) -> int:
    """The position after the last space within `longest` bytes, else one between two characters."""
    end = line.rfind(b" ", longest // 2, longest) + 1
    if not end:
        end = longest
        while end > longest - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
    return end


def _refuse_binary(path: pathlib.Path, first: bytes) -> None:
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(f"{path}: UTF-16, not UTF-8. --encoding=utf-16 reads it.")
    sample = first[: 1 << 16]
    strange = len(sample) - len(sample.translate(None, _CONTROL))
    if strange > 0.05 * len(sample):
        raise InputError(
            f"{path}: not text ({100 * strange / len(sample):.0f} % of its first {len(sample):,} bytes are control "
            "characters). Name text files, .gz or JSON lines."
        )
