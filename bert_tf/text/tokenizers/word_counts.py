"""Word frequencies of a text, with exactly the words that the tokenizer finds."""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

import tensorflow as tf

from bert_tf.core.config import TextConfig
from bert_tf.text.lines import place_to_cut
from bert_tf.text.tokenizers.normalizer import Normalizer
from bert_tf.text.tokenizers.unicode_tables import NEVER_ASSIGNED

_BATCH_BYTES = 1 << 18


def count_words(
    lines: Sequence[bytes], config: TextConfig, progress: Callable[[int], object] = lambda done: None
) -> collections.Counter:
    """Counts the words of lines (UTF-8 bytes): a `Counter` of str, without words over the length limit.

    `progress` is called with the number of lines counted.
    """
    normalizer = Normalizer(dataclasses.replace(config, special_tokens=False))

    @tf.autograph.experimental.do_not_convert
    def count(texts):
        words, _, counts = tf.unique_with_counts(normalizer.words(texts).strings.values)
        return words, counts, tf.size(texts)

    signature = tf.TensorSpec([None], tf.string)
    batches = tf.data.Dataset.from_generator(lambda: batch_lines(lines), output_signature=signature)
    total: collections.Counter = collections.Counter()
    done = 0
    for words, counts, size in batches.map(count, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator():
        for word, number in zip(words.tolist(), counts.tolist(), strict=True):
            total[word] += number
        done += int(size)
        progress(min(done, len(lines)))
    del total[NEVER_ASSIGNED.encode()]
    return collections.Counter({word.decode(): number for word, number in total.items()})


def batch_lines(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Lines in batches of about 256 KiB; longer lines in parts, cut at spaces."""
    batch, size = [], 0
    for line in lines:
        for part in _parts(line):
            batch.append(part)
            size += len(part)
            if size >= _BATCH_BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _parts(line: bytes) -> Iterator[bytes]:
    while len(line) > _BATCH_BYTES:
        end = place_to_cut(line, _BATCH_BYTES)
        yield line[:end]
        line = line[end:]
    yield line
