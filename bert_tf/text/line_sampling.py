"""A uniform sample of a stream of lines, within a given number of bytes."""

import dataclasses
import hashlib

_TOP = 1 << 32


@dataclasses.dataclass
class Sample:
    """The lines that were kept (UTF-8), and how much the stream held."""

    lines: list[bytes]
    bytes: int
    stream_lines: int
    stream_bytes: int


def sample_lines(lines, max_bytes, progress=lambda done: None):
    """Keeps each line of a stream with the same chance, so that at most `max_bytes` are kept; blank lines do not count.

    One pass, memory for the sample only. Which lines are kept depends on their number and on the lengths of all
    lines, not on chance. `progress` is called with the bytes read.
    """
    kept, size, limit = [], 0, _TOP
    number = read = 0
    for number, line in enumerate(filter(str.strip, lines), 1):
        line = line.encode("utf-8", "replace")
        read += len(line)
        if (rank := _rank(number)) < limit:
            kept.append((rank, line))
            size += len(line)
        while size > max_bytes:
            limit //= 2
            kept = [item for item in kept if item[0] < limit]
            size = sum(len(line) for _, line in kept)
        if number % 1000 == 0:
            progress(read)
    return Sample([line for _, line in kept], size, number, read)


def _rank(number):
    return int.from_bytes(hashlib.blake2b(number.to_bytes(8, "little"), digest_size=4).digest(), "little")
