"""Documents of the quick start: reading, splitting into a training and a held-out part, labelled paragraphs."""

import dataclasses
import pathlib
import random
from collections.abc import Iterable, Iterator, Sequence

from bert_tf.core.errors import InputError
from bert_tf.text.corpus import find_files, read_lines
from bert_tf.text.sentences import split_sentences

MAX_CHARACTERS = 16_000_000  # enough for a first model; bounds time and memory
MIN_CHARACTERS = 150_000  # with less text neither the vocabulary nor the model is usable
SECTION_CHARACTERS = 8_000  # of the user's files, which are cut into documents of about this length
PARAGRAPH_CHARACTERS = 400  # about as much as the classifier reads
HELD_OUT = 0.08  # share of the documents


@dataclasses.dataclass(frozen=True)
class Document:
    """Paragraphs that belong together, and a label: the package or file that they are from."""

    label: str
    paragraphs: list[str]


def read_own_documents(patterns: str) -> list[Document]:
    """Documents from the user's files, each cut into sections of about `SECTION_CHARACTERS`.

    At most `MAX_CHARACTERS` are read, an equal share of every file.

    Raises:
        InputError: there are fewer than `MIN_CHARACTERS`.
    """
    paths = find_files(patterns)
    share = MAX_CHARACTERS // len(paths)
    documents: list[Document] = []
    for path in paths:
        documents += _sections(path, share)
    size = sum(sum(map(len, document.paragraphs)) for document in documents)
    if size < MIN_CHARACTERS:
        raise InputError(
            f"{patterns} holds {size:,} characters of text in {len(paths)} files; a quick start needs at least "
            f"{MIN_CHARACTERS:,}. Name more files."
        )
    return documents


def _sections(path: pathlib.Path, share: int) -> list[Document]:
    """The first `share` characters of a file as documents of about `SECTION_CHARACTERS`."""
    label = path.name.split(".")[0]
    documents: list[Document] = []
    paragraphs: list[str] = []
    size = total = 0
    for paragraph in _paragraphs(path):
        paragraphs.append(paragraph)
        size += len(paragraph)
        total += len(paragraph)
        if size >= SECTION_CHARACTERS:
            documents.append(Document(label, paragraphs))
            paragraphs, size = [], 0
        if total >= share:
            break
    if paragraphs:
        documents.append(Document(label, paragraphs))
    return documents


def _paragraphs(path: pathlib.Path) -> Iterator[str]:
    """Paragraphs of about `PARAGRAPH_CHARACTERS`, from lines that are sentences, paragraphs, or wrapped text."""
    block: list[str] = []
    for line in read_lines(path, strict=True):
        if line.strip():
            block.append(line.strip())
        # An empty line ends a block; the limit is for files without empty lines.
        if block and (not line.strip() or sum(map(len, block)) > 100 * PARAGRAPH_CHARACTERS):
            yield from join(split_sentences(" ".join(block)))
            block = []
    yield from join(split_sentences(" ".join(block)))


def join(parts: Iterable[str]) -> Iterator[str]:
    """Joins short parts, in order, into paragraphs of at least `PARAGRAPH_CHARACTERS`; the last may be shorter."""
    paragraph = ""
    for part in parts:
        paragraph = f"{paragraph} {part}".strip()
        if len(paragraph) >= PARAGRAPH_CHARACTERS:
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


def hold_out(documents: Sequence[Document], seed: int) -> tuple[list[Document], list[Document]]:
    """Splits documents into (training, held-out), both in their order; `HELD_OUT` of them are held out.

    Whole documents, because neighbouring paragraphs share words that would make held-out ones too easy.
    """
    order = random.Random(seed).sample(range(len(documents)), len(documents))
    chosen = set(order[: max(2, round(HELD_OUT * len(documents)))])
    training: list[Document] = []
    held_out: list[Document] = []
    for number, document in enumerate(documents):
        part = held_out if number in chosen else training
        part.append(document)
    return training, held_out


def labelled_paragraphs(
    documents: Iterable[Document], labels: Sequence[str], most: int, seed: int
) -> tuple[list[str], list[str]]:
    """(paragraphs, their labels) of the documents with one of `labels`, at most `most` per label, in random order."""
    by_label: dict[str, list[str]] = {label: [] for label in labels}
    for document in documents:
        if document.label in by_label:
            by_label[document.label] += whole_paragraphs(document)
    chooser = random.Random(seed)
    rows = []
    for label, paragraphs in by_label.items():
        for paragraph in chooser.sample(paragraphs, min(most, len(paragraphs))):
            rows.append((paragraph, label))
    chooser.shuffle(rows)
    return [paragraph for paragraph, _ in rows], [label for _, label in rows]


def whole_paragraphs(document: Document) -> list[str]:
    """The paragraphs of a document, short ones joined to `PARAGRAPH_CHARACTERS`; a short rest is left out."""
    return [paragraph for paragraph in join(document.paragraphs) if len(paragraph) >= PARAGRAPH_CHARACTERS]
