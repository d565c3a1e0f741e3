"""Real text all the way to rows whose pieces are the numbers of the documents they come from."""

import dataclasses
import itertools

import numpy as np
import pytest

from bert_tf.core.features import INPUT_IDS, INPUT_MASK, IS_RANDOM, NEXT_SENTENCE_LABELS, SEGMENT_IDS
from bert_tf.data.pretraining.corpus_chunks import assign_chunks, group_files, read_chunks, tokenize_chunk
from bert_tf.data.pretraining.instances import Block
from bert_tf.data.pretraining.make_records import RecordsConfig
from bert_tf.data.pretraining.record_writer import make_examples
from bert_tf.text.corpus import find_files
from bert_tf.text.tokenizers.base import Tokenizer

PAIRS = 50_000  # at least so many of each corpus are looked at
CORPORA = {
    "books": RecordsConfig(static_masking=False, dupe_factor=3),
    "wikitext2/train.txt.gz": RecordsConfig(static_masking=False, dupe_factor=3),
    "brown/brown.txt.gz": RecordsConfig(static_masking=False, dupe_factor=6),
    "peoples_daily/train.txt.gz": RecordsConfig(static_masking=False, dupe_factor=5),
}


def blocks_of_documents(files, tokenizer, config):
    """The chunks of `files`, with the number of its document, from 1000 on, in the place of each piece."""
    numbers, chunks, ends = {}, [], []
    for chunk in itertools.chain.from_iterable(read_chunks(*group, config) for group in enumerate(group_files(files))):
        block, _ = tokenize_chunk(chunk, tokenizer, config.split_sentences)
        documents = np.array([numbers.setdefault(number, 1000 + len(numbers)) for number in block.documents.tolist()])
        sentence_documents = np.repeat(documents, block.part_lengths)
        chunks.append(dataclasses.replace(block, tokens=np.repeat(sentence_documents, block.sentence_lengths)))
        ends.append((chunk[0][0], chunk[-1][0]))
    return chunks, ends


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if "brown" in name else pytest.mark.soak) for name in CORPORA]
)
def test_a_random_next_is_never_of_the_same_document(shared, real_text, name):
    config = CORPORA[name]
    tokenizer = Tokenizer.from_file(shared / "golden" / "vocab_uncased.txt")
    files = find_files(real_text(name))
    chunks, ends = blocks_of_documents(files, tokenizer, config)
    labels = []
    for partition, (own, donors) in enumerate(assign_chunks(ends, 3, config.seed)):
        block = Block.join([chunks[chunk] for chunk in (*own, *donors)])
        parts = sum(len(chunks[chunk].documents) for chunk in donors)
        for rows in make_examples(block, partition, config, tokenizer, parts):
            first, second = (documents_of(rows, segment) for segment in (0, 1))
            label = rows[NEXT_SENTENCE_LABELS][:, 0]
            np.testing.assert_array_equal(first != second, label == IS_RANDOM)
            labels.append(label)
    labels = np.concatenate(labels)
    assert len(labels) > PAIRS and abs(np.mean(labels == IS_RANDOM) - 0.5) < 0.005


def documents_of(rows, segment):
    """The one document that each row's segment is of, int [N]; special tokens have numbers below the documents'."""
    ids = rows[INPUT_IDS]
    here = (rows[SEGMENT_IDS] == segment) & (rows[INPUT_MASK] == 1) & (ids >= 1000)
    lowest, highest = np.where(here, ids, np.iinfo(np.int32).max).min(1), np.where(here, ids, 0).max(1)
    np.testing.assert_array_equal(lowest, highest)
    return lowest
