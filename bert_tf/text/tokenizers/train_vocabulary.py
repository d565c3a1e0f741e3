"""Learns a vocabulary from text, and measures how well it covers held-out text."""

import collections
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from bert_tf.core.config import TextConfig
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.core.files import check_regular, write_text
from bert_tf.text.corpus import check_encoding, find_files, read_lines
from bert_tf.text.line_sampling import sample_lines
from bert_tf.text.tokenizers.base import Tokenizer
from bert_tf.text.tokenizers.subword_trainers import learn_byte_bpe, learn_unigram
from bert_tf.text.tokenizers.vocabulary import RESERVED, SPECIAL_TOKENS, read_vocabulary, write_vocabulary
from bert_tf.text.tokenizers.word_counts import batch_lines, count_words
from bert_tf.text.tokenizers.wordpiece_trainer import learn_tokens

__all__ = ["learn", "learn_from_files", "read_vocabulary", "write_vocabulary"]

HELD_OUT_EVERY = 50  # one of so many sampled lines is held out
LEARNERS = {"bpe": learn_byte_bpe, "unigram": learn_unigram}
KINDS = ("wordpiece", *LEARNERS)
SUFFIXES = {"bpe": ".json", "unigram": ".model"}
MAX_SIZE = 10_000_000  # tokens; the largest published vocabularies have about 1,000,000


def learn(
    lines: Iterable[str],
    size: int,
    config: TextConfig | None = None,
    unused: int = 0,
    sample_mb: float = 200,
    progress: Callable = lambda stage, done, total: None,
    kind: str = "wordpiece",
) -> tuple[list[str], dict]:
    """Learns a vocabulary from lines of text; the same lines and settings give the same tokens in every process.

    Args:
        lines: an iterable of text, read once.
        size: the number of tokens, special tokens included.
        config: a `TextConfig`; the words are those that a `Tokenizer` of this config finds.
        unused: how many reserved tokens `[unused0]`, `[unused1]`, ... follow the special tokens.
        sample_mb: megabytes of text kept in memory and learned from; longer text is sampled uniformly.
        progress: called as `progress(stage, done, total)`, stages "read" (bytes, total None), "count" (lines), "learn".
        kind: of `KINDS`: "wordpiece" (BERT), "bpe" (byte-level, RoBERTa) or "unigram" (ALBERT).

    Returns:
        (tokens, report): `size` tokens, special tokens first, a `Vocabulary` unless they are of WordPiece; and what was
        read and measured as a dict.

    Raises:
        ConfigError: sizes that leave no room for learned tokens.
        InputError: the text has no words, or gives fewer tokens than asked.
    """
    config = config or TextConfig()
    check_kind(kind)
    least = len(SPECIAL_TOKENS) + unused + (256 if kind == "bpe" else 0)
    if unused < 0 or not least < size <= MAX_SIZE or not 0 < sample_mb < math.inf:
        raise ConfigError(
            f"Received: size={size}, unused={unused}, sample_mb={sample_mb}. The size must be over {least}, the "
            f"special and unused tokens{' and the 256 bytes' * (kind == 'bpe')}, and at most {MAX_SIZE:,}; "
            "sample_mb must be positive."
        )
    sample = sample_lines(lines, sample_mb * 1e6, lambda done: progress("read", done, None))
    progress("read", sample.stream_bytes, sample.stream_bytes)
    held_out = sample.lines[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    learned = [line for number, line in enumerate(sample.lines, 1) if number % HELD_OUT_EVERY]
    counts = count_words(learned, config, lambda done: progress("count", done, len(learned)))
    if not counts:
        raise InputError("There are no words to learn from in the text.")
    progress("learn", 0, 1)
    reserved = [f"{RESERVED}{i}]" for i in range(unused)]
    tokens: list[str]
    if kind == "wordpiece":
        tokens = learn_tokens(counts, size, [*SPECIAL_TOKENS, *reserved])
    else:
        tokens = LEARNERS[kind](learned, size, reserved, config)
    progress("learn", 1, 1)
    if len(tokens) < size:
        raise InputError(
            f"The text is too small for size={size}: its {len(counts):,} distinct words give {len(tokens):,} tokens. "
            f"Ask for at most {len(tokens)}, or give more text."
        )
    return tokens, {
        "size": size,
        "kind": kind,
        "unused": unused,
        "text": config.to_json(),
        "read": {"lines": sample.stream_lines, "bytes": sample.stream_bytes},
        "sample": {"lines": len(sample.lines), "bytes": sample.bytes, "distinct_words": len(counts)},
        "held_out": coverage(Tokenizer(tokens, config), held_out or learned) | {"seen": not held_out},
    }


def learn_from_files(
    patterns: str | Sequence[str],
    output: str | os.PathLike,
    size: int,
    field: str | None = None,
    strict: bool = False,
    overwrite: bool = False,
    encoding: str | None = None,
    **settings: Any,
) -> dict:
    """Learns from files, writes the vocabulary to `output` and the report next to it as JSON; returns the report.

    Args:
        patterns: files, folders or globs, as `corpus.find_files` takes them.
        output: the vocabulary file; `InputError` if it or the report exists, unless `overwrite`.
        field, strict, encoding: as in `corpus.read_lines`.
        size, settings: as in `learn`.
    """
    output = pathlib.Path(output)
    kind = settings.get("kind", "wordpiece")
    check_kind(kind)
    report_path = output.with_suffix(".report.json" if kind == "bpe" else ".json")
    if kind != "wordpiece" and output.suffix != SUFFIXES[kind]:
        raise ConfigError(f"Received: output={str(output)!r}. A {kind} vocabulary is kept in a {SUFFIXES[kind]} file.")
    if report_path == output:
        raise ConfigError(f"Received: output={str(output)!r}. The report gets that name; give one that ends in .txt.")
    for path in (output, report_path):
        if path.exists():
            if not overwrite:
                raise InputError(f"{path} exists and models may depend on it. Name another file, or pass --overwrite.")
            check_regular(path)  # a device is never replaced; found before the work, not after it
    counts: collections.Counter = collections.Counter()
    files = find_files(patterns)

    def lines() -> Iterator[str]:
        for path in files:
            yield from read_lines(path, field, strict, counts, encoding)
        check_encoding(counts, files, encoding)

    tokens, report = learn(lines(), size, **settings)
    report["read"] |= {"files": len(files)} | {name: counts[name] for name in ("invalid_utf8_lines", "nul_bytes")}
    Tokenizer(tokens, settings.get("config")).save(output)
    write_text(report_path, json.dumps(report, indent=2) + "\n")
    return report


def check_kind(kind: str) -> None:
    """Raises `ConfigError` unless a vocabulary of this kind can be learned."""
    if kind not in KINDS:
        raise ConfigError(f"Received: kind={kind!r}. kind must be one of {', '.join(KINDS)}.")


def coverage(tokenizer: Tokenizer, lines: Sequence[bytes]) -> dict:
    """Measures a tokenizer on lines: words, the share of unknown words, and tokens per word ("pieces_per_word")."""
    words = tokens = unknown = 0
    for batch in batch_lines(lines):
        ids = tokenizer(batch).values.numpy()
        tokens += len(ids)
        unknown += int(np.sum(ids == tokenizer.unk_id))
        words += int(np.sum(tokenizer.starts_word[ids]))
    size = sum(map(len, lines))
    rates = {"unknown_rate": unknown / max(words, 1), "pieces_per_word": tokens / max(words, 1)}
    return {"lines": len(lines), "bytes": size, "words": words} | rates
