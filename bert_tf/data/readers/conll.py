"""CoNLL columns: one word per line with its tags, blank lines between sentences."""

from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.bad_rows import BadRows, read_lines

_DOCUMENT = "-DOCSTART-"
_Lines = list[tuple[int, str]]  # (line number, line) of each word of a sentence


def read_conll(path: Any, bad: BadRows, word: str = "0", tag: str = "-1") -> Iterator[tuple[str, dict]]:
    """Streams sentences: (place, {"words": [...], "tags": [...]}).

    Columns are separated by tabs if the first word's line has one, else by white space. Lines that begin with "#" are
    comments unless they have as many columns as the first word. Lines that begin with -DOCSTART- end a sentence, as
    blank lines do.

    Args:
        bad: called with the reason where a line has more or fewer columns than the first word; its sentence is bad.
        word, tag: numbers of their columns, from 0; negative ones count from the end, -1 is the last.

    Raises:
        ConfigError: a column is not a number, or the file does not have it.
    """
    word_column, tag_column = _number(word), _number(tag)
    columns = separator = None
    for sentence in _sentences(path):
        if columns is None:
            first = _first_word(sentence)
            if first is None:
                continue
            separator = "\t" if "\t" in first else None
            columns = len(first.split(separator))
            _check(path, first, columns, word_column, tag_column)
        words, tags = [], []
        place = ""
        for number, line in sentence:
            cells = line.split(separator)
            if len(cells) == columns:
                place = place or f"line {number}"
                words.append(cells[word_column])
                tags.append(cells[tag_column])
            elif not line.startswith("#"):
                reason = f"{len(cells)} columns where the words before have {columns}: {' '.join(cells)[:60]!r}"
                bad(f"line {number}", reason)
                break
        else:
            if words:
                yield place, {"words": words, "tags": tags}


def _first_word(sentence: _Lines) -> str | None:
    """The first line that is not a comment."""
    for _, line in sentence:
        if not line.startswith("#"):
            return line
    return None


def _sentences(path: Any) -> Iterator[_Lines]:
    """Streams the lines of each sentence, without those that separate sentences."""
    sentence: _Lines = []
    for number, line in enumerate(read_lines(path), 1):
        if line.strip() and not line.startswith(_DOCUMENT):
            sentence.append((number, line.rstrip("\r\n")))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _number(column: str) -> int:
    try:
        return int(column)
    except ValueError:
        raise ConfigError(f"Received: column {column!r}. Columns of CoNLL files are numbered from 0.") from None


def _check(path: Any, first: str, columns: int, *asked: int) -> None:
    """Raises `ConfigError` for a column that the first word's line does not have."""
    for column in asked:
        if not -columns <= column < columns:
            raise ConfigError(f"{path} has no column {column}; its words have {columns}, numbered from 0: {first!r}.")
