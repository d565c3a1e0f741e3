"""Cuts a corpus of any size into pages of tokenized text and deals these out to buckets that fit in memory.

A bucket is what instances are made from at a time. Pages go to buckets at random, so that a bucket is a sample of the
whole corpus, not of one corner of it: the random next sentences drawn inside a bucket come, over all buckets, from
everywhere, and neighbouring texts are scattered over the records.
"""

import collections
import itertools

import numpy as np

from bert_tf.data.pretraining.instances import Block
from bert_tf.text.corpus import read_parts, to_sentences

PAGE_CHARS = 1 << 18
BUCKET_CHARS = 1 << 22
_GROUP_SHIFT = 40  # document numbers count within a group of files


def group_files(paths):
    """Splits sorted paths into runs of files that are read together: a large file alone, small ones by the page."""
    groups, size = [], PAGE_CHARS
    for path in paths:
        if size >= PAGE_CHARS:
            groups.append([])
            size = 0
        groups[-1].append(path)
        size += path.stat().st_size
    return groups


def read_pages(group, paths, config, counts=None):
    """Streams the pages of one group of files: lists of `(document number, lines)`, each about `PAGE_CHARS` long."""
    page, size = [], 0
    for document, lines in read_parts(paths, config.field, config.strict, counts, PAGE_CHARS):
        page.append((document + (group << _GROUP_SHIFT), lines))
        size += sum(map(len, lines))
        if size >= PAGE_CHARS:
            yield page
            page, size = [], 0
    if page:
        yield page


def tokenize_page(page, tokenizer, split):
    """Turns a page into a `Block` and its counts; sentences and documents without a piece are left out."""
    sentences = [to_sentences(lines, split) for _, lines in page]
    ids = tokenizer(list(itertools.chain.from_iterable(sentences)))
    tokens, lengths = ids.flat_values.numpy(), ids.row_lengths().numpy()
    part = np.repeat(np.arange(len(page)), [len(part) for part in sentences])
    part_lengths = np.bincount(part[lengths > 0], minlength=len(page))
    block = Block(
        tokens.astype(np.min_scalar_type(tokenizer.vocab_size)),
        lengths[lengths > 0].astype(np.int32),
        part_lengths[part_lengths > 0].astype(np.int32),
        np.array([document for document, _ in page], np.int64)[part_lengths > 0],
    )
    counts = {
        "characters": sum(len(line) for _, lines in page for line in lines),
        "sentences": len(block.sentence_lengths),
        "sentences_without_pieces": int(np.sum(lengths == 0)),
        "documents_of_one_sentence": int(np.sum(part_lengths == 1)),
        "pieces": len(tokens),
        "unknown_pieces": int(np.sum(tokens == tokenizer.unk_id)),
    }
    return block, collections.Counter(counts)


def save_page(tokenizer, page, split, path):
    """Tokenizes a page into a file; returns the first and the last document in it, and the counts."""
    block, counts = tokenize_page(page, tokenizer, split)
    with path.open("wb") as file:
        np.savez(file, **vars(block))
    return (page[0][0], page[-1][0]), counts


def load_page(path):
    with np.load(path) as arrays:
        return Block(**arrays)


def num_buckets(chars):
    """How many buckets a corpus of that many characters is dealt to."""
    return max(1, -(-chars // BUCKET_CHARS))


def deal_pages(documents, buckets, seed):
    """Deals pages out to buckets at random; buckets differ by one page at most.

    A bucket in which all is one document gets a page from elsewhere as a guest, for random next sentences only.

    Args:
        documents: int [pages, 2], the first and the last document of each page.

    Returns:
        For each bucket the numbers of its own pages, rising, and of its guests, at most one.
    """
    documents = np.asarray(documents, np.int64).reshape(-1, 2)
    generator = np.random.default_rng([seed, len(documents)])
    bucket_of = generator.permutation(len(documents)) % buckets
    dealt = []
    for bucket in range(buckets):
        own = np.flatnonzero(bucket_of == bucket)
        found = np.unique(documents[own])
        elsewhere = np.flatnonzero(np.any(documents != found[0], axis=1)) if len(found) == 1 else []
        guests = generator.choice(elsewhere, 1) if len(elsewhere) else own[:0]
        dealt.append((own.tolist(), guests.tolist()))
    return dealt
