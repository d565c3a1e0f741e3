"""Long texts in windows of pieces that overlap, and their answers put together again; TensorFlow ops only."""

import dataclasses

import tensorflow as tf

from bert_tf.core.errors import ConfigError

# N texts, W windows, S positions of a row

WINDOW_TEXTS = "window_texts"  # [W] the number of the text that a row is a window of


@dataclasses.dataclass
class Windows:
    """Where the windows of N texts lie: window `w` is pieces `starts[w]` to `ends[w]` of text `texts[w]`, all [W].

    A text of no more pieces than a window takes, be it of none, is one window. `before` [W] counts the pieces that
    stand before the window in its row.
    """

    texts: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    before: tf.Tensor
    splits: tf.Tensor  # [N + 1] where each text begins among the pieces of all

    def take(self, values):
        """Of `values`, one a piece, ragged [N, (pieces)], those in each window: ragged [W, (pieces)]."""
        begins = tf.gather(self.splits, self.texts)
        return tf.gather(values.flat_values, tf.ragged.range(begins + self.starts, begins + self.ends))

    def place(self, values, length):
        """`values` of pieces, ragged [W, (pieces)], where the pieces stand in the rows, else 0: int32 [W, length]."""
        gap = tf.RaggedTensor.from_row_lengths(tf.zeros([tf.reduce_sum(self.before)], values.dtype), self.before)
        return tf.cast(tf.concat([gap, values], 1).to_tensor(shape=tf.stack([-1, length])), tf.int32)

    def max_context_mask(self):
        """1 where a window is the one to ask about a piece, else 0: int32 ragged [W, (pieces)].

        That is where the piece has most context on its thinner side, as run_squad.py of google-research/bert has it
        (`_check_is_max_context`); every piece of a text is asked for in one window.
        """
        windows = tf.range(tf.size(self.texts, tf.int64))
        positions = tf.ragged.range(self.starts, self.ends)
        window = positions.value_rowids()
        left = positions.flat_values - tf.gather(self.starts, window)
        right = tf.gather(self.ends, window) - 1 - positions.flat_values
        context = 100 * tf.minimum(left, right) + left + right  # hundredths; longer windows are a little better
        score = context * tf.size(windows, tf.int64) - window  # of equal ones the first
        piece = positions.flat_values + tf.gather(self.splits, tf.gather(self.texts, window))
        best = tf.math.unsorted_segment_max(score, piece, self.splits[-1])
        return positions.with_values(tf.cast(score == tf.gather(best, piece), tf.int32))


def cut(pieces, size, stride, before):
    """The `Windows` of texts given by their pieces, ragged [N, (pieces)].

    Args:
        size: pieces a window at most, one number or [N].
        stride: pieces from the begin of one window to that of the next; never more than `size`, so that none is lost.
        before: pieces that stand before a window in its row, one number or [N].
    """
    lengths = pieces.row_lengths()
    size, before = (tf.cast(value, tf.int64) + tf.zeros_like(lengths) for value in (size, before))
    step = tf.minimum(tf.cast(stride, tf.int64), size)
    counts = 1 + (tf.maximum(lengths - size, 0) + step - 1) // step  # the last window ends with the text
    numbers = tf.ragged.range(counts)
    texts = numbers.value_rowids()
    starts = numbers.flat_values * tf.gather(step, texts)
    ends = tf.minimum(starts + tf.gather(size, texts), tf.gather(lengths, texts))
    return Windows(texts, starts, ends, tf.gather(before, texts), pieces.row_splits)


def check_stride(stride, max_length):
    """Raises `ConfigError` where windows of `max_length` pieces cannot begin every `stride` pieces."""
    if stride is not None and not 0 < stride < max_length:
        raise ConfigError(f"Received: stride={stride}, max_length={max_length}. The stride must be in 1 to max_length.")


def number_of_texts(inputs):
    """N, of the inputs of all windows of N texts."""
    return tf.reduce_max(tf.concat([[-1], inputs[WINDOW_TEXTS]], 0)) + 1  # every text has a window


def mean_of_texts(values: tf.Tensor, inputs: dict) -> tf.Tensor:
    """The mean over the windows of each text, [W, ...] to [N, ...]; the values as they are without windows."""
    return tf.math.segment_mean(values, inputs[WINDOW_TEXTS]) if WINDOW_TEXTS in inputs else values
