"""A uniform sample of a stream of lines, within a given number of bytes."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterable

_TOP = 1 << 32


@dataclasses.dataclass
class Sample:
    """The sampled lines (UTF-8) and the size of the whole stream."""

    lines: list[bytes]
    bytes: int
    stream_lines: int
    stream_bytes: int


def sample_lines(
    lines: Iterable[str], max_bytes: float, progress: Callable[[int], object] = lambda done: None
) -> Sample:
    """Samples lines of a stream with equal probability, `max_bytes` at most; blank lines are ignored.

    One pass, in memory for the sample only. The sample is a function of the lines: their numbers are hashed, nothing
    is random. `progress` is called with the number of bytes read.
    """
    kept, size, limit = [], 0, _TOP
    number = read = 0
    for number, text in enumerate(filter(str.strip, lines), 1):
        line = text.encode("utf-8", "replace")
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
