"""Compares the speed of tokenizers: bert_tf's, FastBertTokenizer, Hugging Face's Rust tokenizers and keras-hub's.

    python tools/benchmark_tokenizer.py --vocab vocab.txt --input 'books/*.txt' --input 'reviews/*.tsv' [--mb 2 8 30]

--vocab takes a folder too, with the files of a byte-level BPE tokenizer for example; peers are those of its kind.
Each --input is a separate set, timed at each size of --mb. First the ids of a tenth of the lines are compared with
bert_tf's; then the tokenizers take turns for several rounds, and the medians are printed. keras-hub is timed on a tenth
of the lines. Times include the start of a tf.data iterator but not the tracing of graphs.
"""

import argparse
import functools
import itertools
import json
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf import Tokenizer
from bert_tf.text.corpus import find_files, read_lines
from bert_tf.text.tokenizers.byte_bpe import BytePairTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--vocab", required=True, help="vocabulary of an uncased model, or a folder")
    parser.add_argument("--input", required=True, action="append", help="files or globs; repeat the flag for more sets")
    parser.add_argument("--mb", type=float, nargs="+", default=[2, 8], help="megabytes taken of each set")
    parser.add_argument("--batch", type=int, default=1024, help="lines in a batch of tf.data")
    parser.add_argument("--threads", type=int, default=2, help="parallel calls of tf.data")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    arguments = parser.parse_args()
    open_tokenizer = Tokenizer.from_pretrained if pathlib.Path(arguments.vocab).is_dir() else Tokenizer.from_file
    tokenizer = open_tokenizer(arguments.vocab)
    make = byte_pair_engines if isinstance(tokenizer, BytePairTokenizer) else make_engines
    engines = make(tokenizer, arguments.batch, arguments.threads)
    for pattern, megabytes in itertools.product(arguments.input, arguments.mb):
        lines = take(pattern, megabytes * 1e6)
        print(f"{pattern}: {len(lines):,} lines, {size(lines) / 1e6:.1f} MB")
        differences = {name: compare(tokenizer, engine, lines) for name, engine in engines.items()}
        report(race(engines, lines, arguments.repeats), differences)


def take(pattern, limit):
    """The first `limit` bytes of a set as lines, without blank ones."""
    lines, left = [], limit
    for line in itertools.chain.from_iterable(map(read_lines, find_files(pattern))):
        if left <= 0:
            break
        if line.strip():
            lines.append(line)
            left -= len(line.encode())
    return lines


def size(lines):
    """Bytes of UTF-8."""
    return sum(len(line.encode()) for line in lines)


def make_engines(tokenizer, batch, threads):
    """{name: function that prepares a list of lines and returns the call to time}; `as_lists` reads its answer."""
    import keras_hub

    fast = tf_text.FastBertTokenizer(
        tokenizer.vocabulary, token_out_type=tf.int32, lower_case_nfd_strip_accents=True
    ).tokenize
    keras = keras_hub.models.BertTokenizer(tokenizer.vocabulary, lowercase=True)

    return {
        "bert_tf, one call": at_once(tokenizer),
        "FastBertTokenizer, one call": at_once(fast),
        "bert_tf, tf.data": streamed(tokenizer, batch, threads),
        "FastBertTokenizer, tf.data": streamed(fast, batch, threads),
        "Hugging Face, encode_batch": hugging_face(tokenizer.vocabulary),
        "keras-hub, tf.data": streamed(keras, batch, threads),
    }


def byte_pair_engines(tokenizer, batch, threads):
    """As `make_engines`, for byte-level BPE."""
    import keras_hub
    from tokenizers import Tokenizer as RustTokenizer

    content = json.loads(tokenizer.vocabulary.content)
    merges = [" ".join(pair) for pair in content["model"]["merges"]]
    keras = keras_hub.tokenizers.BytePairTokenizer(content["model"]["vocab"], merges)
    rust = RustTokenizer.from_str(tokenizer.vocabulary.content.decode())
    return {
        "bert_tf, one call": at_once(tokenizer),
        "bert_tf, tf.data": streamed(tokenizer, batch, threads),
        "Hugging Face, encode_batch": lambda lines: functools.partial(
            rust.encode_batch, lines, add_special_tokens=False
        ),
        "keras-hub, tf.data": streamed(keras, batch, threads),
    }


def at_once(function):
    """An engine that takes all lines in one call."""
    return lambda lines: functools.partial(function, tf.constant(lines))


def streamed(function, batch, threads):
    """An engine that takes batches of lines in `tf.data`."""

    def prepare(lines):
        batches = tf.data.Dataset.from_tensor_slices(lines).batch(batch).map(function, num_parallel_calls=threads)
        return lambda: list(batches)

    return prepare


def hugging_face(vocabulary):
    """The engine of Hugging Face's `tokenizers`, with a vocabulary as a list of tokens."""
    from tokenizers import Tokenizer as RustTokenizer
    from tokenizers import models, normalizers, pre_tokenizers

    ids = {token: number for number, token in enumerate(vocabulary)}
    rust = RustTokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=200))
    rust.normalizer = normalizers.BertNormalizer(lowercase=True)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return lambda lines: functools.partial(rust.encode_batch, lines, add_special_tokens=False)


def compare(tokenizer, engine, lines):
    """Number of lines, in the first tenth, for which `engine` gives other ids than bert_tf."""
    lines = lines[: len(lines) // 10]
    return sum(
        ours != theirs for ours, theirs in zip(tokenizer(lines).to_list(), as_lists(engine(lines)()), strict=True)
    )


def as_lists(answer):
    """The ids of each line, from the answer of any engine."""
    if not isinstance(answer, list):
        return answer.to_list()
    if hasattr(answer[0], "ids"):
        return [encoding.ids for encoding in answer]
    return [row for batch in answer for row in batch.to_list()]


def race(engines, lines, repeats):
    """Median megabytes per second of each engine."""
    parts = {name: lines[::10] if name.startswith("keras-hub") else lines for name in engines}
    calls = {name: engine(parts[name]) for name, engine in engines.items()}
    rates = {name: [] for name in engines}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            elapsed = time.perf_counter() - begin
            rates[name].append(size(parts[name]) / 1e6 / elapsed)
    return {name: statistics.median(found) for name, found in rates.items()}


def report(rates, differences):
    """Prints the rates, and how many times as fast bert_tf is in the same setting."""
    for name, rate in rates.items():
        ratio = rates["bert_tf, tf.data" if "one call" not in name else "bert_tf, one call"] / rate
        print(f"  {name:<28} {rate:7.2f} MB/s   bert_tf {ratio:5.1f} times as fast  {differences[name]:,} lines differ")


if __name__ == "__main__":
    main()
