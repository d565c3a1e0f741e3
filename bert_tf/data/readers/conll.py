"""CoNLL columns: one word per line with its tags, blank lines between sentences."""

from bert_tf.core.errors import ConfigError
from bert_tf.data.readers.bad_rows import read_lines

_DOCUMENT = "-DOCSTART-"


def read_conll(path, bad, word="0", tag="-1"):
    """Streams sentences: (place, {"words": [...], "tags": [...]}).

    Columns are separated by tabs if the first word's line has one, else by white space. Lines that begin with "#" and
    have not the columns of the first word are comments; lines that begin with -DOCSTART- end a sentence too.

    Args:
        bad: called with the reason where a line has more or fewer columns than the first word; its sentence is bad.
        word, tag: numbers of their columns, from 0, or from the end, -1 the last.
    """
    word, tag = _number(word), _number(tag)
    columns = separator = None
    for sentence in _sentences(path):
        if columns is None:
            first = next((line for _, line in sentence if not line.startswith("#")), None)
            if first is None:
                continue
            separator = "\t" if "\t" in first else None
            columns = len(first.split(separator))
            _check(path, first, columns, word, tag)
        cells = [(number, line, line.split(separator)) for number, line in sentence]
        rows = [(number, row) for number, line, row in cells if len(row) == columns or not line.startswith("#")]
        ragged = [(number, row) for number, row in rows if len(row) != columns]
        if ragged:
            number, row = ragged[0]
            bad(f"line {number}", f"{len(row)} columns where the words before have {columns}: {' '.join(row)[:60]!r}")
        elif rows:
            yield f"line {rows[0][0]}", {"words": [row[word] for _, row in rows], "tags": [row[tag] for _, row in rows]}


def _sentences(path):
    """Lists of (line number, line), without those that part them."""
    sentence = []
    for number, line in enumerate(read_lines(path), 1):
        if line.strip() and not line.startswith(_DOCUMENT):
            sentence.append((number, line.rstrip("\r\n")))
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _number(column):
    try:
        return int(column)
    except ValueError:
        raise ConfigError(f"Received: column {column!r}. Columns of CoNLL files are numbered from 0.") from None


def _check(path, first, columns, *asked):
    for column in asked:
        if not -columns <= column < columns:
            raise ConfigError(f"{path} has no column {column}; its words have {columns}, numbered from 0: {first!r}.")
