"""Running text as examples of writing on: the first half of each passage is the text, the second half the target."""

from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import InputError
from bert_tf.data.readers.bad_rows import BadRows
from bert_tf.text.corpus import find_files, read_parts, to_sentences

PASSAGE_CHARS = 600  # about 120 English words; a sentence that would exceed it begins the next passage


def read_passages(patterns: Any, bad: BadRows, encoding: str | None = None) -> Iterator[tuple[str, dict]]:
    """Streams (place, {"text": its first sentences, "target": those that follow}) of each passage.

    A passage is a run of sentences of one document, of at most `PASSAGE_CHARS` characters or two sentences; what is
    left over at the end of a document, if it is a single sentence, is left out.

    Args:
        patterns: files, folders and globs of plain text, as `bert_tf.text.corpus.find_files` takes them.

    Raises:
        InputError: there is no such file, or it is not text in that encoding.
    """
    del bad  # a line of running text is never bad
    number = 0
    for path in find_files(patterns):
        for _, lines in read_parts([path], encoding=encoding):
            for passage in _passages(to_sentences(lines)):
                number += 1
                middle = _middle(passage)
                yield (
                    f"{path.name}, passage {number}",
                    {"text": " ".join(passage[:middle]), "target": " ".join(passage[middle:])},
                )
    if not number:
        raise InputError(f"{patterns} has no two sentences in a row. Give running text, a paragraph a line.")


def _passages(sentences: list[str]) -> Iterator[list[str]]:
    passage: list[str] = []
    for sentence in sentences:
        if len(passage) > 1 and sum(map(len, passage)) + len(sentence) > PASSAGE_CHARS:
            yield passage
            passage = []
        passage.append(sentence)
    if len(passage) > 1:
        yield passage


def _middle(passage: list[str]) -> int:
    """The number of sentences of the first half, by characters; at least one, and not all."""
    half, size = sum(map(len, passage)) / 2, 0
    for count, sentence in enumerate(passage[:-1], 1):
        size += len(sentence)
        if size >= half:
            return count
    return len(passage) - 1
