"""Cuts a corpus of any size into chunks of tokenized text and assigns them to partitions that fit in memory.

Instances are made from one partition at a time. Chunks are assigned at random, so that a partition is a sample of the
whole corpus and not one part of it: random next sentences, drawn within a partition, come from everywhere, and
neighbouring texts are scattered over the records.
"""

import collections
import itertools
import pathlib
import typing
from collections.abc import Iterator, Sequence

import numpy as np

from bert_tf.data.pretraining.instances import Block
from bert_tf.text.corpus import read_parts, to_sentences
from bert_tf.text.scrubbing import Scrubber
from bert_tf.text.tokenizers.base import Tokenizer

if typing.TYPE_CHECKING:
    from bert_tf.data.pretraining.records_config import RecordsConfig

CHUNK_CHARS = 1 << 18
PARTITION_CHARS = 1 << 22
_GROUP_SHIFT = 40  # document numbers count within a group of files

Chunk = list[tuple[int, list[str]]]  # (document number, lines)


def group_files(paths: Sequence[pathlib.Path]) -> list[list[pathlib.Path]]:
    """Splits sorted paths into groups that are read together: a large file alone, small ones up to a chunk's size."""
    groups: list[list[pathlib.Path]] = []
    size = CHUNK_CHARS
    for path in paths:
        if size >= CHUNK_CHARS:
            groups.append([])
            size = 0
        groups[-1].append(path)
        size += path.stat().st_size
    return groups


def read_chunks(
    group: int, paths: Sequence[pathlib.Path], config: "RecordsConfig", counts: collections.Counter | None = None
) -> Iterator[Chunk]:
    """Streams the chunks of group number `group`, each about `CHUNK_CHARS` long; `counts` as for `read_lines`."""
    chunk, size = [], 0
    for document, lines in read_parts(paths, config.field, config.strict, counts, CHUNK_CHARS, config.encoding):
        chunk.append((document + (group << _GROUP_SHIFT), lines))
        size += sum(map(len, lines))
        if size >= CHUNK_CHARS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def tokenize_chunk(
    chunk: Chunk, tokenizer: Tokenizer, split: bool, scrubber: Scrubber | None = None
) -> tuple[Block, collections.Counter]:
    """A chunk as a `Block`, and its counts; sentences and documents without a token are left out.

    Args:
        split: whether lines are paragraphs to be split into sentences.
        scrubber: takes personal data out of the lines before; counted as "scrubbed_mail" and so on.
    """
    scrubbed: collections.Counter = collections.Counter()
    if scrubber:
        chunk, scrubbed = _scrub(chunk, scrubber)
    sentences = [to_sentences(lines, split) for _, lines in chunk]
    ids = tokenizer(list(itertools.chain.from_iterable(sentences)))
    tokens, lengths = ids.flat_values.numpy(), ids.row_lengths().numpy()
    part = np.repeat(np.arange(len(chunk)), [len(part) for part in sentences])
    part_lengths = np.bincount(part[lengths > 0], minlength=len(chunk))
    block = Block(
        tokens.astype(np.min_scalar_type(tokenizer.vocab_size)),
        lengths[lengths > 0].astype(np.int32),
        part_lengths[part_lengths > 0].astype(np.int32),
        np.array([document for document, _ in chunk], np.int64)[part_lengths > 0],
    )
    # Names of counts as version 0.1 wrote them: a "piece" is a token.
    counts = {
        "characters": sum(len(line) for _, lines in chunk for line in lines),
        "sentences": len(block.sentence_lengths),
        "sentences_without_pieces": int(np.sum(lengths == 0)),
        "documents_of_one_sentence": int(np.sum(part_lengths == 1)),
        "pieces": len(tokens),
        "unknown_pieces": int(np.sum(tokens == tokenizer.unk_id)),
    }
    return block, collections.Counter(counts | {f"scrubbed_{kind}": number for kind, number in scrubbed.items()})


def _scrub(chunk: Chunk, scrubber: Scrubber) -> tuple[Chunk, collections.Counter]:
    """The chunk without personal data, and how much of each kind was replaced."""
    lines, counts = scrubber([line for _, part in chunk for line in part])
    rest = iter(lines)
    return [(document, list(itertools.islice(rest, len(part)))) for document, part in chunk], counts


def save_chunk(
    tokenizer: Tokenizer, chunk: Chunk, split: bool, scrubber: Scrubber | None, path: pathlib.Path
) -> tuple[tuple[int, int], collections.Counter]:
    """Tokenizes a chunk into a file; returns its first and last document, and its counts."""
    block, counts = tokenize_chunk(chunk, tokenizer, split, scrubber)
    with path.open("wb") as file:
        np.savez(file, **vars(block))
    return (chunk[0][0], chunk[-1][0]), counts


def load_chunk(path: pathlib.Path) -> Block:
    with np.load(path) as arrays:
        return Block(**arrays)


def num_partitions(chars: int) -> int:
    """How many partitions a corpus of so many characters has."""
    return max(1, -(-chars // PARTITION_CHARS))


def assign_chunks(documents: Sequence, partitions: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """Assigns chunks to partitions at random; sizes of partitions differ by one chunk at most.

    A partition that holds one document only gets a donor chunk of another document, from which random next sentences
    are drawn and no instances of its own.

    Args:
        documents: int [chunks, 2], the first and the last document of each chunk.

    Returns:
        For each partition the numbers of its own chunks, rising, and of its donor chunks, at most one.
    """
    documents = np.asarray(documents, np.int64).reshape(-1, 2)
    generator = np.random.default_rng([seed, len(documents)])
    partition_of = generator.permutation(len(documents)) % partitions
    assigned = []
    for partition in range(partitions):
        own = np.flatnonzero(partition_of == partition)
        found = np.unique(documents[own])
        elsewhere = np.flatnonzero(np.any(documents != found[0], axis=1)) if len(found) == 1 else []
        donors = generator.choice(elsewhere, 1) if len(elsewhere) else own[:0]
        assigned.append((own.tolist(), donors.tolist()))
    return assigned
