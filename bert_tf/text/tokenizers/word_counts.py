"""How often each word stands in a text, words being exactly those the tokenizer sees."""

import collections
import dataclasses

import tensorflow as tf

from bert_tf.text.tokenizers.normalizer import Normalizer
from bert_tf.text.tokenizers.unicode_tables import NEVER_ASSIGNED

_BATCH_BYTES = 1 << 18


def count_words(lines, config, progress=lambda done: None):
    """Counts the words of lines (UTF-8 bytes): a `Counter` of str. Words over the length limit are left out.

    `progress` is called with the number of lines done.
    """
    normalizer = Normalizer(dataclasses.replace(config, special_tokens=False))

    def count(texts):
        words, _, counts = tf.unique_with_counts(normalizer.words(texts).strings.values)
        return words, counts, tf.size(texts)

    signature = tf.TensorSpec([None], tf.string)
    batches = tf.data.Dataset.from_generator(lambda: _batches(lines), output_signature=signature)
    total, done = collections.Counter(), 0
    for words, counts, size in batches.map(count, num_parallel_calls=tf.data.AUTOTUNE).as_numpy_iterator():
        for word, number in zip(words.tolist(), counts.tolist(), strict=True):
            total[word] += number
        done += int(size)
        progress(done)
    del total[NEVER_ASSIGNED.encode()]
    return collections.Counter({word.decode(): number for word, number in total.items()})


def _batches(lines):
    batch, size = [], 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
