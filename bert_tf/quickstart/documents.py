"""What the quick start learns from: a label and paragraphs a document, split into a training and a held-out part."""

import dataclasses
import random

from bert_tf.core.errors import InputError
from bert_tf.text.corpus import find_files, read_lines
from bert_tf.text.sentences import split_sentences

MAX_CHARACTERS = 16_000_000  # enough for a first model, and bounds time and memory
MIN_CHARACTERS = 150_000  # under this neither a vocabulary nor a model comes to anything
SECTION_CHARACTERS = 8_000  # of a file of one's own, which are treated as a document
PARAGRAPH_CHARACTERS = 400  # about as much as the classifier reads
HELD_OUT = 0.08


@dataclasses.dataclass(frozen=True)
class Document:
    """Paragraphs that belong together, and the package or file they come from."""

    label: str
    paragraphs: list[str]


def read_own_documents(patterns):
    """Documents from the user's files: each file is cut into sections of about `SECTION_CHARACTERS`.

    A quick start reads an equal share of every file up to `MAX_CHARACTERS` in all. Too little text raises
    `InputError`.
    """
    paths = find_files(patterns)
    share = MAX_CHARACTERS // len(paths)
    documents = [document for path in paths for document in _sections(path, share)]
    size = sum(len(paragraph) for document in documents for paragraph in document.paragraphs)
    if size < MIN_CHARACTERS:
        raise InputError(
            f"{patterns} holds {size:,} characters of text in {len(paths)} files; a quick start needs at least "
            f"{MIN_CHARACTERS:,}. Name more files."
        )
    return documents


def _sections(path, share):
    documents, paragraphs, size, total = [], [], 0, 0
    for paragraph in _paragraphs(path):
        paragraphs.append(paragraph)
        size += len(paragraph)
        total += len(paragraph)
        if size >= SECTION_CHARACTERS:
            documents.append(Document(path.name.split(".")[0], paragraphs))
            paragraphs, size = [], 0
        if total >= share:
            break
    return documents + ([Document(path.name.split(".")[0], paragraphs)] if paragraphs else [])


def _paragraphs(path):
    """Paragraphs of about `PARAGRAPH_CHARACTERS`, from lines that are sentences, paragraphs, or wrapped text."""
    block = []
    for line in read_lines(path, strict=True):
        if line.strip():
            block.append(line.strip())
        if block and (not line.strip() or sum(map(len, block)) > 100 * PARAGRAPH_CHARACTERS):
            yield from join(split_sentences(" ".join(block)))
            block = []
    yield from join(split_sentences(" ".join(block)))


def join(parts):
    """Joins short parts, in order, into paragraphs of at least `PARAGRAPH_CHARACTERS`; the last may be shorter."""
    paragraph = ""
    for part in parts:
        paragraph = f"{paragraph} {part}".strip()
        if len(paragraph) >= PARAGRAPH_CHARACTERS:
            yield paragraph
            paragraph = ""
    if paragraph:
        yield paragraph


def hold_out(documents, seed):
    """Splits documents into (training, held-out), whole documents each, the share `HELD_OUT` of them held out."""
    order = random.Random(seed).sample(range(len(documents)), len(documents))
    held_out = set(order[: max(2, round(HELD_OUT * len(documents)))])
    return (
        [document for i, document in enumerate(documents) if i not in held_out],
        [documents[i] for i in sorted(held_out)],
    )


def labelled_paragraphs(documents, labels, most, seed):
    """(paragraphs, labels) of the documents that carry one of `labels`, at most `most` a label, in random order."""
    by_label = {label: [] for label in labels}
    for document in documents:
        if document.label in by_label:
            by_label[document.label] += whole_paragraphs(document)
    chooser = random.Random(seed)
    rows = [
        (paragraph, label)
        for label, paragraphs in by_label.items()
        for paragraph in chooser.sample(paragraphs, min(most, len(paragraphs)))
    ]
    chooser.shuffle(rows)
    return [paragraph for paragraph, _ in rows], [label for _, label in rows]


def whole_paragraphs(document):
    """Paragraphs long enough to tell what they are about: short ones are joined with those that follow."""
    return [paragraph for paragraph in join(document.paragraphs) if len(paragraph) >= PARAGRAPH_CHARACTERS]
