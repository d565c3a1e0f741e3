"""Sentences given as lists of words: checks, and tokens with the word that each is part of."""

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError


def is_words(texts):
    """Whether `texts` are lists of words, and not strings."""
    if isinstance(texts, tf.RaggedTensor):
        return True
    return isinstance(texts, list | tuple) and any(isinstance(sentence, list | tuple) for sentence in texts[:1])


def as_words(sentences, allow_empty=True):
    """Lists of words as strings, ragged [N, (words)]; another value raises `InputError` with its row."""
    if isinstance(sentences, tf.RaggedTensor):
        return sentences
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, list | tuple):
            raise InputError(f"Row {row}: {sentence!r} is no list of words.")
        if strange := [word for word in sentence if not isinstance(word, str | bytes)]:
            raise InputError(f"Row {row}: the word {strange[0]!r} is no string.")
        if not sentence and not allow_empty:
            raise InputError(f"Row {row} has no words.")
    words = np.array([word for sentence in sentences for word in sentence], dtype=object)
    return tf.RaggedTensor.from_row_lengths(tf.constant(words, tf.string), [len(sentence) for sentence in sentences])


def cut_words(tokenizer, words):
    """Tokens of words [N, (words)], and the number of the word in its sentence for each, ragged [N, (tokens)] both.

    A word without tokens (of control characters alone) is read as the unknown token: every word has a token.
    """
    tokens = tokenizer(words.values)  # [all words, (tokens)]
    lacking = tf.cast(tokens.row_lengths() == 0, tf.int64)
    unknown = tf.fill([tf.reduce_sum(lacking)], tokenizer.unk_id)
    tokens = tf.concat([tokens, tf.RaggedTensor.from_row_lengths(unknown, lacking)], 1)
    numbers = tf.ragged.range(tf.cast(words.row_lengths(), tf.int32)).values
    numbers = tokens.with_values(tf.gather(numbers, tokens.value_rowids()))
    return tuple(words.with_values(values).merge_dims(1, 2) for values in (tokens, numbers))


def begins_of_words(numbers):
    """Whether a word begins at each token, bool [tokens], given the numbers of words as `cut_words` gives them."""
    texts, words = numbers.value_rowids(), numbers.values
    changes = (texts[1:] != texts[:-1]) | (words[1:] != words[:-1])
    return tf.concat([tf.ones_like(words[:1], tf.bool), changes], 0)
