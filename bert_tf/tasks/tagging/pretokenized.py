"""Sentences given as lists of words: checks, and tokens with the number of the word of each."""

import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.raw_inputs import as_list, string_tensor


def is_words(texts: Any) -> bool:
    """Whether `texts` are lists of words, in any form, and not strings."""
    if tf.is_tensor(texts):  # of shape [N, 1]: texts, as Keras's data sets have them
        return isinstance(texts, tf.RaggedTensor) or (texts.shape.rank == 2 and texts.shape[1] != 1)
    if not isinstance(texts, list | tuple):
        texts = as_list(texts)
    return any(isinstance(sentence, list | tuple | np.ndarray) for sentence in texts[:1])


def as_words(sentences: Any, allow_empty: bool = True) -> tf.RaggedTensor:
    """Lists of words as strings, ragged [N, (words)]; in tensors [N, words] rows are padded with "".

    Raises:
        InputError: a sentence is not a list of strings, or has no words and must have some; names its row.
    """
    if isinstance(sentences, tf.RaggedTensor):
        return sentences
    if tf.is_tensor(sentences):
        return tf.RaggedTensor.from_tensor(sentences, padding="")
    sentences = as_list(sentences)
    for row, sentence in enumerate(sentences):
        if not isinstance(sentence, list):
            raise InputError(f"Row {row}: {sentence!r} is not a list of words.")
        for word in sentence:
            if not isinstance(word, str | bytes):
                raise InputError(f"Row {row}: the word {word!r} is not a string.")
        if not sentence and not allow_empty:
            raise InputError(f"Row {row} has no words.")
    words = np.array(list(itertools.chain.from_iterable(sentences)), dtype=object)
    return tf.RaggedTensor.from_row_lengths(string_tensor(words, "word"), list(map(len, sentences)))


def cut_words(tokenizer: Any, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
    """Tokens of words [N, (words)], and for each the number of its word in the sentence; int32 [N, (tokens)] both.

    A word without tokens (of control characters alone) is read as the unknown token, so that every word has a token.
    """
    tokens = tokenizer(words.values)  # [all words, (tokens)]
    lacking = tf.cast(tokens.row_lengths() == 0, tf.int64)
    unknown = tf.fill([tf.reduce_sum(lacking)], tokenizer.unk_id)
    tokens = tf.concat([tokens, tf.RaggedTensor.from_row_lengths(unknown, lacking)], 1)
    numbers = tf.ragged.range(tf.cast(words.row_lengths(), tf.int32)).values
    numbers = tokens.with_values(tf.gather(numbers, tokens.value_rowids()))
    return words.with_values(tokens).merge_dims(1, 2), words.with_values(numbers).merge_dims(1, 2)


def begins_of_words(numbers: tf.RaggedTensor) -> tf.Tensor:
    """Whether a word begins at each token, bool [tokens], from the word numbers that `cut_words` returns."""
    texts, words = numbers.value_rowids(), numbers.values
    changes = (texts[1:] != texts[:-1]) | (words[1:] != words[:-1])
    return tf.concat([tf.ones_like(words[:1], tf.bool), changes], 0)
