"""Decodes the best possible tag sequence, and its entities, from scores of tags, in the graph."""

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.tasks.tagging import schemes

# N texts, C tags, E entities


class Decoder:
    """Decodes tags of one set: what may follow what, and where entities begin, as tables of the scheme.

    Without a scheme every sequence is possible, and every word an entity of its own.
    """

    def __init__(self, labels, scheme):
        self._labels, self._scheme = labels, scheme
        edged = [*labels, schemes.OUTSIDE]  # the last entry is the edge of a sentence, which counts as a word outside
        table = np.ones([len(edged)] * 2, bool)
        self._allowed, self._begins = table, table[:, :-1].copy()
        self._inside = np.ones(len(labels), bool)
        self._kinds = labels
        number = {label: i for i, label in enumerate(labels)}
        self._parts = np.array(
            [
                [[number.get(schemes.of_part(tag, first, last, scheme), i) for last in (0, 1)] for first in (0, 1)]
                for i, tag in enumerate(labels)
            ],
            "int32",
        )
        if scheme:
            self._allowed = np.array([[schemes.may_follow(a, b, scheme) for b in edged] for a in edged])
            self._begins = np.array([[schemes.begins(a, b) for b in labels] for a in edged])
            self._inside = np.array([label != schemes.OUTSIDE for label in labels])
            self._kinds = [schemes.kind_of(label) for label in labels]

    def of_parts(self, found, words):
        """Tags of the parts that words fall into: int32 [parts].

        Args:
            found: the tag of each word, int32 [words].
            words: the number of its word for each part, rising, int [parts].
        """
        edges = words[1:] != words[:-1]
        first, last = tf.concat([[True], edges], 0), tf.concat([edges, [True]], 0)
        first, last = (tf.cast(edge[: tf.size(words)], tf.int32) for edge in (first, last))
        return tf.gather_nd(self._parts, tf.stack([tf.gather(found, words), first, last], 1))

    def best(self, scores):
        """The possible sequence of the highest sum: float ragged [N, (words), C] to int32 ragged [N, (words)]."""
        if not self._scheme:
            return scores.with_values(tf.argmax(scores.values, -1, tf.int32))
        found = tf_text.viterbi_constrained_sequence(
            scores.to_tensor(), scores.row_lengths(), self._allowed, use_log_space=True
        )
        return scores.with_values(tf.ensure_shape(found.values, [None]))  # the op says nothing of its shape

    def entities(self, found, scores, starts, ends):
        """Entities of the words of N texts: {"types", "starts", "ends", "scores"}, each [N, E].

        Args:
            found: tags as `best` gives them, int32 ragged [N, (words)].
            scores, starts, ends: of each word [all words].
        """
        count, rows, found = found.nrows(), found.value_rowids(), found.values
        behind = tf.concat([[False], rows[1:] == rows[:-1]], 0)[: tf.size(rows)]  # not the first of its text
        previous = tf.where(behind, tf.roll(found, 1, 0), len(self._labels))
        begins = tf.gather_nd(self._begins, tf.stack([previous, found], 1))
        inside = tf.gather(self._inside, found)
        entity = tf.boolean_mask(tf.cumsum(tf.cast(begins, tf.int32)) - 1, inside)
        flat = {
            "types": tf.gather(self._kinds, tf.boolean_mask(found, begins)),
            "starts": tf.boolean_mask(starts, begins),
            "ends": tf.math.segment_max(tf.boolean_mask(ends, inside), entity),
            "scores": tf.math.segment_mean(tf.boolean_mask(scores, inside), entity),
        }
        row = tf.boolean_mask(rows, begins)
        return {
            name: tf.RaggedTensor.from_value_rowids(value, row, count, validate=False).to_tensor()
            for name, value in flat.items()
        }


def ends_of_words(first, ends):
    """The end of the word of each token, ragged [N, (tokens)], from the ends of tokens and where words begin."""
    word = tf.maximum(tf.cumsum(tf.cast(first.values, tf.int32)) - 1, 0)
    return ends.with_values(tf.gather(tf.math.segment_max(ends.values, word), word))
