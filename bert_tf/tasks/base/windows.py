"""Overlapping windows of long texts, and the mean of their outputs; TensorFlow ops only."""

import dataclasses
from typing import Any

import tensorflow as tf

from bert_tf.core.errors import ConfigError

# N texts, W windows, S positions of a row

WINDOW_TEXTS = "window_texts"  # [W] number of the text of each window


@dataclasses.dataclass
class Windows:
    """The W windows of N texts: window `w` is tokens `starts[w]` to `ends[w]` of text `texts[w]`, int64 [W] each.

    A text that fits in a window, even an empty one, has one window. `before`, int64 [W], counts the tokens that precede
    the window in its row.
    """

    texts: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    before: tf.Tensor
    splits: tf.Tensor  # [N + 1] row splits of the tokens of all texts

    def take(self, values: tf.RaggedTensor) -> tf.RaggedTensor:
        """The values, one per token, ragged [N, (tokens)], of the tokens in each window: ragged [W, (tokens)]."""
        begins = tf.gather(self.splits, self.texts)
        return tf.gather(values.flat_values, tf.ragged.range(begins + self.starts, begins + self.ends))

    def place(self, values: tf.RaggedTensor, length: tf.Tensor) -> tf.Tensor:
        """Values of tokens, ragged [W, (tokens)], at their positions in the rows, else 0: int32 [W, length]."""
        gap = tf.RaggedTensor.from_row_lengths(tf.zeros([tf.reduce_sum(self.before)], values.dtype), self.before)
        return tf.cast(tf.concat([gap, values], 1).to_tensor(shape=tf.stack([-1, length])), tf.int32)

    def max_context_mask(self) -> tf.RaggedTensor:
        """1 for a token in the window where it has the most context, else 0: int32 ragged [W, (tokens)].

        The context of a token is the smaller of those on its two sides, as in `_check_is_max_context` of
        google-research/bert's run_squad.py. Every token of a text has its 1 in exactly one window.
        """
        windows = tf.range(tf.size(self.texts, tf.int64))
        positions = tf.ragged.range(self.starts, self.ends)
        window = positions.value_rowids()
        left = positions.flat_values - tf.gather(self.starts, window)
        right = tf.gather(self.ends, window) - 1 - positions.flat_values
        context = 100 * tf.minimum(left, right) + left + right  # ties go to the longer window
        score = context * tf.size(windows, tf.int64) - window  # further ties go to the first
        token = positions.flat_values + tf.gather(self.splits, tf.gather(self.texts, window))
        best = tf.math.unsorted_segment_max(score, token, self.splits[-1])
        return positions.with_values(tf.cast(score == tf.gather(best, token), tf.int32))


def cut(tokens: tf.RaggedTensor, size: Any, stride: int, before: Any) -> Windows:
    """Cuts N texts, given by their tokens, ragged [N, (tokens)], into windows.

    Args:
        size: most tokens of a window, a scalar or [N].
        stride: tokens from the start of one window to that of the next; limited to `size`, so that no token is lost.
        before: tokens that precede a window in its row, a scalar or [N].
    """
    lengths = tokens.row_lengths()
    size = tf.cast(size, tf.int64) + tf.zeros_like(lengths)  # [N]
    before = tf.cast(before, tf.int64) + tf.zeros_like(lengths)  # [N]
    step = tf.minimum(tf.cast(stride, tf.int64), size)
    counts = 1 + (tf.maximum(lengths - size, 0) + step - 1) // step  # the last window ends with the text
    numbers = tf.ragged.range(counts)
    texts = numbers.value_rowids()
    starts = numbers.flat_values * tf.gather(step, texts)
    ends = tf.minimum(starts + tf.gather(size, texts), tf.gather(lengths, texts))
    return Windows(texts, starts, ends, tf.gather(before, texts), tokens.row_splits)


def check_stride(stride: int | None, max_length: int) -> None:
    """Raises `ConfigError` for a stride that windows of `max_length` tokens cannot have."""
    if stride is not None and not 0 < stride < max_length:
        raise ConfigError(
            f"Received: stride={stride}, max_length={max_length}. The stride must be at least 1 and below max_length."
        )


def number_of_texts(inputs: dict) -> tf.Tensor:
    """N, from the inputs of all windows of N texts."""
    return tf.reduce_max(tf.concat([[-1], inputs[WINDOW_TEXTS]], 0)) + 1  # every text has a window


def mean_of_texts(values: tf.Tensor, inputs: dict) -> tf.Tensor:
    """The mean over the windows of each text, [W, ...] to [N, ...]; without windows the values unchanged."""
    if WINDOW_TEXTS not in inputs:
        return values
    return tf.math.segment_mean(values, inputs[WINDOW_TEXTS])
