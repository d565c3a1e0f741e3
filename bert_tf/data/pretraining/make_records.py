"""Pretraining records from text of any size: tokenize into pages, deal them to buckets, write instances to shards.

Everything random hangs on the seed and the number of a bucket, so the bytes do not depend on how many processes work.
"""

import collections
import dataclasses
import os
import pathlib
import re
import shutil

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pretraining.corpus_chunks import deal_pages, group_files, num_buckets, read_pages, save_page
from bert_tf.data.pretraining.instances import OBJECTIVES
from bert_tf.data.pretraining.process_pool import Workers
from bert_tf.data.pretraining.record_writer import Layout, write_shards_of_files
from bert_tf.data.pretraining.records_folder import RecordsFolder
from bert_tf.data.pretraining.tf_examples import SCHEMAS
from bert_tf.text.corpus import find_files, unpacked_bytes
from bert_tf.text.masking import MaskingConfig
from bert_tf.text.tokenizers.base import Tokenizer

_BYTES_A_PROCESS = 16 << 20  # a process for less text costs more to start than it saves
_BYTES_A_SHARD = 32 << 20
_MIN_SHARDS = 4


@dataclasses.dataclass(frozen=True)
class RecordsConfig:
    """How text becomes records; numbers and their names are those of Google's create_pretraining_data.py."""

    max_length: int = 128
    max_predictions: int = 20
    masked_lm_prob: float = 0.15
    dupe_factor: int | None = None  # passes over the text; None: 10 with static masking, else 1
    short_seq_prob: float = 0.1
    objective: str | None = "next_sentence"  # "sentence_order" (ALBERT), or "none": full sentences, one segment
    masking: str = "token"  # "whole_word", "ngram"
    max_ngram: int = 3
    static_masking: bool = True  # False: training masks, anew in every epoch
    seed: int = 12345
    shards: int | None = None  # None: from the size of the text
    schema: str = "google"  # "model_garden"
    gzip: bool = False
    split_sentences: bool = True  # False: a line is a sentence
    field: str | None = None  # where the text stands in JSON lines
    strict: bool = False  # True: invalid UTF-8 is refused
    num_processes: int | None = None  # None: from the size of the text and the CPUs

    def __post_init__(self):
        object.__setattr__(self, "objective", self.objective or "none")  # on a command line, none is None
        for name, known in (("objective", OBJECTIVES), ("schema", tuple(SCHEMAS))):
            if getattr(self, name) not in known:
                raise ConfigError(f"Received: {name}={getattr(self, name)!r}. {name} is one of {', '.join(known)}.")
        if self.max_length < 8:
            raise ConfigError(f"Received: max_length={self.max_length}. It must be at least 8.")
        if not 0 <= self.short_seq_prob <= 1:
            raise ConfigError(f"Received: short_seq_prob={self.short_seq_prob}. It must lie between 0 and 1.")
        for name in ("dupe_factor", "shards", "num_processes"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ConfigError(f"Received: {name}={getattr(self, name)}. {name} must be at least 1.")
        if self.seed < 0:
            raise ConfigError(f"Received: seed={self.seed}. The seed must not be negative.")
        _ = self.masking_config  # checks the rest

    @property
    def masking_config(self):
        return MaskingConfig(self.masking, self.masked_lm_prob, self.max_predictions, self.max_ngram)

    @property
    def passes(self):
        return self.dupe_factor or (10 if self.static_masking else 1)


def write_records(inputs, tokenizer, output, config=None, progress=None):
    """Writes TFRecord shards of pretraining examples, `records.json` and `vocab.txt` to a folder.

    A run that was killed is taken up where it stopped when it is called again with the same arguments; finished
    records of the same arguments are left as they are.

    Args:
        inputs: files, folders or globs, as `find_files` takes them.
        tokenizer: a `Tokenizer`, or the path of a vocabulary.
        output: a folder that is new, empty, or holds these records.
        config: a `RecordsConfig`.
        progress: called as `progress(stage, done, total)`.

    Returns:
        The report, as saved in `records.json`. Raises `InputError` if `output` holds anything else.
    """
    config = config or RecordsConfig()
    progress = progress or (lambda stage, done, total: None)
    files, size, folder = prepare(inputs, tokenizer, output, config)
    if folder.is_finished():
        return folder.report()
    folder.open()
    processes = config.num_processes or min(os.cpu_count(), 1 + size // _BYTES_A_PROCESS)
    with Workers(folder.tokenizer, processes) as workers:
        pages = folder.remember("pages", lambda: _write_pages(files, size, config, folder, workers, progress))
        units = _write_shards(pages, num_shards(config, size), config, folder, workers, progress)
    return folder.close(pages["counts"], units)


def prepare(inputs, tokenizer, output, config):
    """Checks what a run needs; returns its files, their size in bytes unpacked, and its `RecordsFolder`."""
    _refuse_addresses([*([inputs] if isinstance(inputs, str | pathlib.Path) else inputs), output])
    if not isinstance(tokenizer, Tokenizer):
        tokenizer = Tokenizer.from_file(tokenizer)
    _check_vocabulary(tokenizer, config)
    files = find_files(inputs)
    return files, sum(map(unpacked_bytes, files)), RecordsFolder(pathlib.Path(output), files, tokenizer, config)


def num_shards(config, size):
    """How many shards records of `size` bytes of text have."""
    return config.shards or max(_MIN_SHARDS, -(-size // _BYTES_A_SHARD))


def _refuse_addresses(paths):
    """Raises `InputError` for gs://bucket/... and its like, which `pathlib` would take for a folder named gs:."""
    for path in map(str, paths):
        if address := re.search(r"\b[a-z0-9]{2,}:/\S*", path):
            raise InputError(
                f"Received: {address[0]}. Records are read and written by paths of the file system, with Beam too. "
                "Mount the bucket where every worker reaches it, and give the path that it has there."
            )


def _check_vocabulary(tokenizer, config):
    """Raises `InputError` if the vocabulary lacks a special token that the records need."""
    tokens = tokenizer.SPECIAL_TOKENS
    needed = [tokens.pad, tokens.cls, tokens.sep] + [tokens.mask] * config.static_masking
    if missing := [token for token in needed if tokenizer.id_of(token) is None]:
        raise InputError(f"The vocabulary of {tokenizer.vocab_size} tokens has no {' and no '.join(missing)}.")


def check_text(counts, files, config):
    """Raises `InputError` if the text that was counted can give no examples."""
    if not counts["pieces"]:
        raise InputError(f"There is no text in the {len(files)} input file(s), the first of which is {files[0]}.")
    if config.objective != "none" and counts["sentences"] == counts["documents_of_one_sentence"]:
        raise InputError(
            f"Each of the {counts['documents']:,} documents has one sentence, so that nothing comes next. "
            "Blank lines end documents: take them out between sentences, or use the objective none."
        )


def _write_pages(files, size, config, folder, workers, progress):
    """Tokenizes the corpus into page files; returns the documents of each page and the counts."""
    counts = collections.Counter(files=len(files))
    shutil.rmtree(folder.pages, ignore_errors=True)
    folder.pages.mkdir()

    def items():
        number = 0
        for group, paths in enumerate(group_files(files)):
            for page in read_pages(group, paths, config, counts):
                yield page, config.split_sentences, folder.page(number)
                number += 1

    documents = []
    for ends, found in workers.map(save_page, items()):
        documents.append(ends)
        counts.update(found)
        progress("tokenize", counts["bytes"], size)
    check_text(counts, files, config)
    return {"documents": documents, "counts": counts}


def _write_shards(pages, shards, config, folder, workers, progress):
    """Writes all shards that are not there yet; returns the counts of each unit of work."""
    layout = Layout(num_buckets(pages["counts"]["characters"]), shards, config.gzip)
    dealt = deal_pages(pages["documents"], layout.buckets, config.seed)
    left = [unit for unit in range(layout.units) if not folder.recalls(f"unit-{unit}")]

    def items():
        for unit in left:
            contents = [(b, *(list(map(folder.page, pages)) for pages in dealt[b])) for b in layout.buckets_of(unit)]
            yield contents, [folder.path / name for name in layout.names_of(unit)], config

    done = layout.units - len(left)
    progress("write", done, layout.units)
    for unit, counts in zip(left, workers.map(write_shards_of_files, items()), strict=True):
        folder.remember(f"unit-{unit}", lambda counts=counts: counts)
        done += 1
        progress("write", done, layout.units)
    return [folder.remember(f"unit-{unit}") for unit in range(layout.units)]
