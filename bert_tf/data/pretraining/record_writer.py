"""Makes the examples of buckets and writes them to TFRecord shards, each of which appears when it is whole."""

import collections
import contextlib
import dataclasses
import functools
import itertools

import numpy as np
import tensorflow as tf

from bert_tf.core.features import INPUT_IDS, INPUT_MASK, IS_RANDOM, MASKED_LM_WEIGHTS, NEXT_SENTENCE_LABELS
from bert_tf.core.files import atomic_file
from bert_tf.data.pretraining.corpus_chunks import load_page
from bert_tf.data.pretraining.instances import Block, make_rows, make_spans
from bert_tf.data.pretraining.tf_examples import serialize
from bert_tf.text.masking import Masker

_BATCH_PIECES = 1 << 19  # made at a time


@dataclasses.dataclass(frozen=True)
class Layout:
    """Who makes what: unit u of U makes the examples of buckets u, u + U, ... and fills the shards u, u + U, ..."""

    buckets: int
    shards: int
    gzip: bool

    @property
    def units(self):
        return min(self.buckets, self.shards)

    def buckets_of(self, unit):
        return range(unit, self.buckets, self.units)

    def names_of(self, unit):
        """File names of the shards that a unit fills."""
        suffix = ".tfrecord" + (".gz" if self.gzip else "")
        numbers = range(unit, self.shards, self.units)
        return [f"records-{number:05d}-of-{self.shards:05d}{suffix}" for number in numbers]


def make_examples(block, bucket, config, tokenizer, guests=0):
    """Yields `{feature: array [N, ...]}` of all instances of one bucket, in batches, in random order.

    Args:
        block: the text of the bucket, a `Block`.
        bucket: its number, on which, beside the seed of the config, everything random depends.
        config: a `RecordsConfig`.
        tokenizer: gives the ids of special tokens and the vocabulary.
        guests: as for `make_spans`.
    """
    mask = _masker(config.masking_config, tokenizer) if config.static_masking else None
    size = max(1, _BATCH_PIECES // config.max_length)
    specials = tokenizer.cls_id, tokenizer.sep_id, tokenizer.pad_id
    for number in range(config.passes):
        seeds = [int(seed) for seed in np.random.SeedSequence([config.seed, bucket, number]).generate_state(4)]
        spans = make_spans(block, config.objective, config.max_length, config.short_seq_prob, seeds[0], guests)
        np.random.default_rng(seeds[1]).shuffle(spans)
        for start in range(0, len(spans), size):
            batch = spans[start : start + size]
            rows = make_rows(block.tokens, batch, config.max_length, *specials, seed=[seeds[2], start])
            if config.objective == "none":
                del rows[NEXT_SENTENCE_LABELS]
            if mask:
                masked = mask(rows[INPUT_IDS], rows[INPUT_MASK], tf.constant([seeds[3] >> 1, start], tf.int32))
                rows |= {name: value.numpy() for name, value in masked.items()}
            yield rows


@functools.lru_cache(1)
def _masker(config, tokenizer):
    return Masker(config, tokenizer)


def count(rows):
    """Counts of a batch of examples, for the report."""
    counts = {"examples": len(rows[INPUT_IDS]), "tokens": rows[INPUT_MASK].sum()}
    if NEXT_SENTENCE_LABELS in rows:
        counts["random_or_swapped"] = (rows[NEXT_SENTENCE_LABELS] == IS_RANDOM).sum()
    if MASKED_LM_WEIGHTS in rows:
        counts["masked_tokens"] = rows[MASKED_LM_WEIGHTS].sum()
    return collections.Counter({name: int(value) for name, value in counts.items()})


def write_shards(tokenizer, buckets, paths, config):
    """Writes the examples of buckets in turn to the shards `paths`.

    Args:
        buckets: numbers of buckets with the `Block`s of their own pages and of their guests' pages.

    Returns:
        The counts of what was written.
    """
    counts = collections.Counter()
    with contextlib.ExitStack() as stack:
        options = tf.io.TFRecordOptions(compression_type="GZIP" if config.gzip else "")
        temporary = [stack.enter_context(atomic_file(path)) for path in paths]
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(path), options)) for path in temporary]
        turn = itertools.cycle(writers)
        for number, own, guests in buckets:
            block, parts = Block.join([*own, *guests]), sum(len(guest.documents) for guest in guests)
            for rows in make_examples(block, number, config, tokenizer, parts):
                counts.update(count(rows))
                for example in serialize(rows, config.schema):
                    next(turn).write(example)
    return counts


def write_shards_of_files(tokenizer, buckets, paths, config):
    """`write_shards` for buckets whose pages are given as page files."""
    loaded = ((number, list(map(load_page, own)), list(map(load_page, guests))) for number, own, guests in buckets)
    return write_shards(tokenizer, loaded, paths, config)
