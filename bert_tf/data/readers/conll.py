"""CoNLL columns: one word per line with its tags, blank lines between sentences."""

import re
from collections.abc import Iterator
from typing import Any

from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.bad_rows import BadRows, Line, read_lines

_DOCUMENT = "-DOCSTART-"
_BLANKS = " \t"  # between columns; a no-break or ideographic space is part of a word


def read_conll(
    path: Any, bad: BadRows, word: str = "0", tag: str = "-1", encoding: str | None = None
) -> Iterator[tuple[str, dict]]:
    """Streams sentences: (place, {"words": [...], "tags": [...]}).

    Columns are separated by tabs if the first word's line has one, else by blanks. Lines that begin with "#" are
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
    for sentence in _sentences(read_lines(path, encoding)):
        if columns is None:
            first = _first_word(sentence)
            if first is None:
                continue
            separator = "\t" if "\t" in first else f"[{_BLANKS}]+"
            columns = len(_split(first, separator))
            _check(path, first, columns, word_column, tag_column)
        words, tags = [], []
        place = ""
        for line in sentence:
            cells = _split(line.text, separator)
            problem = line.problem
            if not problem and len(cells) == columns:
                place = place or line.place
                words.append(cells[word_column])
                tags.append(cells[tag_column].strip(_BLANKS))
                problem = "" if tags[-1] else f"the tag of {words[-1]!r} is empty"
            elif not problem and not line.text.startswith("#"):
                problem = f"{len(cells)} columns where the words before have {columns}: {' '.join(cells)[:60]!r}"
            if problem:
                bad(line.place, problem)
                break
        else:
            if words:
                yield place, {"words": words, "tags": tags}


def _split(line: str, separator: str) -> list[str]:
    """The cells of a line; blanks at its ends are dropped unless tabs separate them."""
    line = line.rstrip("\r\n")
    return line.split(separator) if separator == "\t" else re.split(separator, line.strip(_BLANKS))


def _first_word(sentence: list[Line]) -> str | None:
    """The first line that can be read and is not a comment."""
    for line in sentence:
        if not line.problem and not line.text.startswith("#"):
            return line.text
    return None


def _sentences(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Streams the lines of each sentence, without those that separate sentences."""
    sentence: list[Line] = []
    for line in lines:
        if line.problem or (line.text.strip() and not line.text.startswith(_DOCUMENT)):
            sentence.append(line)
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
