"""Learns a WordPiece vocabulary from text, and says how well it covers text it has not seen."""

import collections
import dataclasses
import itertools
import json
import pathlib

import numpy as np

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.files import write_text
from bert_tf.text.corpus import find_files, read_lines
from bert_tf.text.line_sampling import sample_lines
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.vocabulary import RESERVED, SPECIAL_TOKENS, read_vocabulary, write_vocabulary
from bert_tf.text.tokenizers.word_counts import count_words
from bert_tf.text.tokenizers.wordpiece_trainer import learn_pieces

__all__ = ["learn", "learn_from_files", "read_vocabulary", "write_vocabulary"]

HELD_OUT_EVERY = 50  # one sampled line in so many is not learned from


def learn(lines, size, config=None, unused=0, sample_mb=200, progress=lambda stage, done, total: None):
    """Learns word pieces from lines of text; the same lines and settings give the same pieces in every process.

    Args:
        lines: an iterable of text, read once.
        size: the number of pieces, special tokens included.
        config: a `TextConfig`; the words learned from are those that a `Tokenizer` of this config sees.
        unused: how many `[unused0]`, `[unused1]`, ... follow the special tokens.
        sample_mb: megabytes of text that are kept in memory and learned from; of longer text a uniform sample.
        progress: called with a stage ("read" in bytes, "count" in lines, "learn"), how far it is, and its end or None.

    Returns:
        (pieces, report): a list of `size` pieces, special tokens first, and what was read and measured as a dict.
        Raises `ConfigError` for sizes that leave no room, `InputError` where the text gives fewer pieces than asked.
    """
    config = config or TextConfig()
    fixed = [*SPECIAL_TOKENS, *(f"{RESERVED}{i}]" for i in range(unused))]
    if size <= len(fixed) or sample_mb <= 0:
        raise ConfigError(
            f"Received: size={size}, unused={unused}, sample_mb={sample_mb}. The size must be over {len(fixed)}, the "
            "special and unused pieces, and sample_mb positive."
        )
    sample = sample_lines(lines, sample_mb * 1e6, lambda done: progress("read", done, None))
    progress("read", sample.stream_bytes, sample.stream_bytes)
    held_out = sample.lines[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    learned = [line for number, line in enumerate(sample.lines, 1) if number % HELD_OUT_EVERY]
    counts = count_words(learned, config, lambda done: progress("count", done, len(learned)))
    if not counts:
        raise InputError("There are no words to learn from in the text.")
    progress("learn", 0, 1)
    pieces = learn_pieces(counts, size, fixed)
    progress("learn", 1, 1)
    if len(pieces) < size:
        raise InputError(
            f"The text is too small for size={size}: its {len(counts):,} distinct words give {len(pieces):,} pieces. "
            f"Ask for at most {len(pieces)}, or give more text."
        )
    return pieces, {
        "size": size,
        "unused": unused,
        "text": dataclasses.asdict(config),
        "read": {"lines": sample.stream_lines, "bytes": sample.stream_bytes},
        "sample": {"lines": len(sample.lines), "bytes": sample.bytes, "distinct_words": len(counts)},
        "held_out": coverage(Tokenizer(pieces, config), held_out or learned) | {"seen": not held_out},
    }


def learn_from_files(patterns, output, size, field=None, strict=False, overwrite=False, **settings):
    """Learns from files and writes the pieces to `output` and the report beside it as JSON; returns the report.

    Args:
        patterns: files, folders or globs, as `corpus.find_files` takes them.
        output: the vocabulary file; `InputError` if it is there already, unless `overwrite`.
        field, strict: as in `corpus.read_lines`.
        size, settings: as in `learn`.
    """
    output = pathlib.Path(output)
    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already: models may depend on it. Name another file or pass --overwrite.")
    counts = collections.Counter()
    files = find_files(patterns)
    lines = itertools.chain.from_iterable(read_lines(path, field, strict, counts) for path in files)
    pieces, report = learn(lines, size, **settings)
    report["read"] |= {"files": len(files)} | {name: counts[name] for name in ("invalid_utf8_lines", "nul_bytes")}
    write_vocabulary(output, pieces)
    write_text(output.with_suffix(".json"), json.dumps(report, indent=2) + "\n")
    return report


def coverage(tokenizer, lines):
    """How a tokenizer does on lines: words, the share of them that is `[UNK]`, and pieces a word."""
    words = pieces = unknown = 0
    for start in range(0, len(lines), 256):
        ids = tokenizer(lines[start : start + 256]).values.numpy()
        pieces += len(ids)
        unknown += int(np.sum(ids == tokenizer.unk_id))
        words += int(np.sum(tokenizer.starts_word[ids]))
    size = sum(map(len, lines))
    rates = {"unknown_rate": unknown / max(words, 1), "pieces_per_word": pieces / max(words, 1)}
    return {"lines": len(lines), "bytes": size, "words": words} | rates
