"""Decodes the best allowed tag sequence, and its entities, from scores of tags, in the graph."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text

from bert_tf.tasks.tagging import schemes

# N texts, C tags, E entities


class Decoder:
    """Decodes sequences of C tags with tables of the scheme: which tag may follow which, and where entities begin.

    Without a scheme every sequence is allowed, and every word is an entity of its own.

    Args:
        labels: the C tags.
        scheme: "IOB1", "IOB2", "BIOES" or None.
    """

    def __init__(self, labels: Sequence[str], scheme: str | None):
        self._labels, self._scheme = labels, scheme
        # Row C of the tables is the edge of a sentence, which counts as a word outside of entities.
        edged = [*labels, schemes.OUTSIDE]
        self._allowed = np.ones((len(edged), len(edged)), bool)
        self._begins = np.ones((len(edged), len(labels)), bool)
        self._inside = np.ones(len(labels), bool)
        self._kinds = labels
        self._parts = _part_table(labels, scheme)
        if scheme:
            for i, previous in enumerate(edged):
                self._allowed[i] = [schemes.may_follow(previous, tag, scheme) for tag in edged]
                self._begins[i] = [schemes.begins(previous, tag) for tag in labels]
            self._inside = np.array(labels) != schemes.OUTSIDE
            self._kinds = list(map(schemes.kind_of, labels))

    def of_parts(self, found: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
        """Tags of the parts that words are split into, int32 [parts].

        Args:
            found: the tag of each word, int32 [words].
            words: for each part the number of its word, ascending, int [parts].
        """
        edges = words[1:] != words[:-1]
        first, last = tf.concat([[True], edges], 0), tf.concat([edges, [True]], 0)
        # Without any parts there is still one edge, which the slices drop.
        first = tf.cast(first[: tf.size(words)], tf.int32)
        last = tf.cast(last[: tf.size(words)], tf.int32)
        return tf.gather_nd(self._parts, tf.stack([tf.gather(found, words), first, last], 1))

    def best(self, scores: tf.RaggedTensor) -> tf.RaggedTensor:
        """The allowed sequence with the highest sum of scores: float [N, (words), C] to int32 [N, (words)]."""
        if not self._scheme:
            return scores.with_values(tf.argmax(scores.values, -1, tf.int32))
        found = tf_text.viterbi_constrained_sequence(
            scores.to_tensor(), scores.row_lengths(), self._allowed, use_log_space=True
        )
        return scores.with_values(tf.ensure_shape(found.values, [None]))  # the op sets no static shape

    def entities(
        self, found: tf.RaggedTensor, scores: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Entities of the words of N texts: {"types", "starts", "ends", "scores"}, each [N, E], padded with "" or 0.

        Args:
            found: tags as `best` returns them, int32 ragged [N, (words)].
            scores, starts, ends: of each word of all texts, [words].
        """
        count, rows, found = found.nrows(), found.value_rowids(), found.values
        has_previous = tf.concat([[False], rows[1:] == rows[:-1]], 0)[: tf.size(rows)]  # in the same text
        previous = tf.where(has_previous, tf.roll(found, 1, 0), len(self._labels))
        begins = tf.gather_nd(self._begins, tf.stack([previous, found], 1))
        inside = tf.gather(self._inside, found)
        # The number of its entity for each word inside one, over all texts.
        entity = tf.boolean_mask(tf.cumsum(tf.cast(begins, tf.int32)) - 1, inside)
        flat = {
            "types": tf.gather(self._kinds, tf.boolean_mask(found, begins)),
            "starts": tf.boolean_mask(starts, begins),
            "ends": tf.math.segment_max(tf.boolean_mask(ends, inside), entity),
            "scores": tf.math.segment_mean(tf.boolean_mask(scores, inside), entity),
        }
        row = tf.boolean_mask(rows, begins)
        padded = {}
        for name, value in flat.items():
            padded[name] = tf.RaggedTensor.from_value_rowids(value, row, count, validate=False).to_tensor()
        return padded


def _part_table(labels: Sequence[str], scheme: str | None) -> np.ndarray:
    """Number of the tag of a part of a word, int32 [C, 2, 2]: by the word's tag, is first part, is last part.

    A tag that the labels lack ("S-" of a type, say) is replaced with the word's own.
    """
    number: dict[Any, int] = {label: i for i, label in enumerate(labels)}
    table = np.zeros((len(labels), 2, 2), "int32")
    for i, first, last in np.ndindex(table.shape):
        table[i, first, last] = number.get(schemes.of_part(labels[i], bool(first), bool(last), scheme), i)
    return table


def ends_of_words(first: tf.RaggedTensor, ends: tf.RaggedTensor) -> tf.RaggedTensor:
    """For each token the end of its word, ragged [N, (tokens)].

    Args:
        first: whether a word begins at each token, bool ragged [N, (tokens)].
        ends: end of each token, int ragged [N, (tokens)].
    """
    word = tf.maximum(tf.cumsum(tf.cast(first.values, tf.int32)) - 1, 0)
    return ends.with_values(tf.gather(tf.math.segment_max(ends.values, word), word))
