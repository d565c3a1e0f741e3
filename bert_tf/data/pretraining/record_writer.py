"""Makes the examples of partitions and writes them to TFRecord shards; a shard appears when it is complete."""

import collections
import contextlib
import dataclasses
import functools
import itertools
import pathlib
import typing
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from bert_tf.core.features import INPUT_IDS, INPUT_MASK, IS_RANDOM, MASKED_LM_WEIGHTS, NEXT_SENTENCE_LABELS
from bert_tf.core.files import atomic_files
from bert_tf.data.pretraining.corpus_chunks import load_chunk
from bert_tf.data.pretraining.instances import Block, make_rows, make_spans, with_separators
from bert_tf.data.pretraining.tf_examples import serialize
from bert_tf.text.masking import Masker
from bert_tf.text.tokenizers.base import Tokenizer

if typing.TYPE_CHECKING:
    from bert_tf.data.pretraining.records_config import RecordsConfig

_BATCH_TOKENS = 1 << 19  # made at a time


@dataclasses.dataclass(frozen=True)
class Layout:
    """Units of work: unit u of U makes the examples of partitions u, u + U, ... and fills the shards u, u + U, ..."""

    partitions: int
    shards: int
    gzip: bool

    @property
    def units(self) -> int:
        return min(self.partitions, self.shards)

    def partitions_of(self, unit: int) -> range:
        return range(unit, self.partitions, self.units)

    def names_of(self, unit: int) -> list[str]:
        """File names of the shards that a unit fills."""
        suffix = ".tfrecord" + (".gz" if self.gzip else "")
        numbers = range(unit, self.shards, self.units)
        return [f"records-{number:05d}-of-{self.shards:05d}{suffix}" for number in numbers]


def make_examples(
    block: Block, partition: int, config: "RecordsConfig", tokenizer: Tokenizer, donors: int = 0
) -> Iterator[dict[str, np.ndarray]]:
    """Yields `{feature: array [N, ...]}` of all instances of one partition, in batches, in random order.

    Args:
        block: the text of the partition.
        partition: its number; everything random is a function of it and of the seed in `config`.
        config: a `RecordsConfig`.
        tokenizer: gives the layout of rows and the vocabulary.
        donors: as for `make_spans`.
    """
    mask = _make_masker(config.masking_config, tokenizer) if config.static_masking else None
    size = max(1, _BATCH_TOKENS // config.max_length)
    if config.objective == "full_sentences":
        block = with_separators(block, tokenizer.sep_id)
    for number in range(config.passes):
        seeds = [int(seed) for seed in np.random.SeedSequence([config.seed, partition, number]).generate_state(4)]
        room = config.max_length - tokenizer.num_added(2 if config.has_pairs else 1)
        spans = make_spans(block, config.objective, room, config.short_seq_prob, seeds[0], donors)
        np.random.default_rng(seeds[1]).shuffle(spans)
        for start in range(0, len(spans), size):
            batch = spans[start : start + size]
            rows = make_rows(block.tokens, batch, config.max_length, tokenizer, seed=[seeds[2], start])
            if not config.has_pairs:
                del rows[NEXT_SENTENCE_LABELS]
            if mask:
                with tf.device("CPU"):  # as in the processes of a pool, which see no GPU
                    masked = mask(rows[INPUT_IDS], rows[INPUT_MASK], tf.constant([seeds[3] >> 1, start], tf.int32))
                rows |= {name: value.numpy() for name, value in masked.items()}
            yield rows


@functools.lru_cache(1)
def _make_masker(config, tokenizer):
    return Masker(config, tokenizer)


def count(rows: dict[str, np.ndarray]) -> collections.Counter:
    """Counts of a batch of examples, for the report."""
    counts = {"examples": len(rows[INPUT_IDS]), "tokens": rows[INPUT_MASK].sum()}
    if NEXT_SENTENCE_LABELS in rows:
        counts["random_or_swapped"] = (rows[NEXT_SENTENCE_LABELS] == IS_RANDOM).sum()
    if MASKED_LM_WEIGHTS in rows:
        counts["masked_tokens"] = rows[MASKED_LM_WEIGHTS].sum()
    return collections.Counter({name: int(value) for name, value in counts.items()})


def write_shards(
    tokenizer: Tokenizer,
    partitions: Iterable[tuple[int, Sequence[Block], Sequence[Block]]],
    paths: Sequence[pathlib.Path],
    config: "RecordsConfig",
) -> collections.Counter:
    """Writes the examples of partitions in turn to the shards `paths`; returns the counts of what was written.

    Args:
        partitions: (number, its own chunks, its donor chunks) of each.
    """
    counts: collections.Counter = collections.Counter()
    with contextlib.ExitStack() as stack:
        options = tf.io.TFRecordOptions(compression_type="GZIP" if config.gzip else "")
        temporary = stack.enter_context(atomic_files(paths))
        writers = [stack.enter_context(tf.io.TFRecordWriter(str(path), options)) for path in temporary]
        turn = itertools.cycle(writers)
        for number, own, donors in partitions:
            block, donor_parts = Block.join([*own, *donors]), sum(len(donor.documents) for donor in donors)
            for rows in make_examples(block, number, config, tokenizer, donor_parts):
                counts.update(count(rows))
                for example in serialize(rows, config.schema):
                    next(turn).write(example)
    return counts


def write_shards_of_files(
    tokenizer: Tokenizer,
    partitions: Iterable[tuple[int, Sequence[pathlib.Path], Sequence[pathlib.Path]]],
    paths: Sequence[pathlib.Path],
    config: "RecordsConfig",
) -> collections.Counter:
    """`write_shards` for partitions whose chunks are given as the files of `save_chunk`."""
    loaded = ((n, list(map(load_chunk, own)), list(map(load_chunk, donors))) for n, own, donors in partitions)
    return write_shards(tokenizer, loaded, paths, config)
