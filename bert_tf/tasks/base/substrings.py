"""Substrings of texts by characters, in the graph."""

import tensorflow as tf


def substrings(texts: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """`text[start:end]` for each text, counted in characters as `Tokenizer.with_offsets` counts them.

    Args:
        texts: strings [N].
        starts, ends: int [N, E].

    Returns:
        strings [N, E]. Takes memory for the characters of the texts and of the answers once, whatever E is.
    """
    codes = tf.strings.unicode_decode(texts, "UTF-8")  # [N, (characters)]
    begins = tf.cast(codes.row_starts()[:, tf.newaxis], tf.int64)
    starts, ends = tf.cast(starts, tf.int64), tf.cast(ends, tf.int64)
    places = tf.ragged.range(tf.reshape(begins + starts, [-1]), tf.reshape(begins + ends, [-1]))
    found = tf.strings.unicode_encode(tf.gather(codes.flat_values, places), "UTF-8")
    return tf.reshape(found, tf.shape(starts))
