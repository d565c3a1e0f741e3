"""Texts longer than a row: read whole in windows that overlap, where a `stride` is set, instead of cut short."""

import numpy as np
import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.task import Task
from bert_tf.text.input_packing import head

# N texts, W windows, S positions of a row

CHARACTERS = 2**20  # of texts tokenized at once, about


class LongTextTask(Task):
    """A task that can answer about texts of any length from windows, each `stride` pieces behind the one before.

    The answer is that to the mean of the windows' outputs: of logits, or of vectors. Of a pair the second text is cut
    into windows, each behind at most half a row of the first. Training reads the beginning of a text alone. `stride`
    None, the default, does so in answers too; it is kept in the folder, and may be set on a model at any time.
    """

    def __init__(self, tokenizer, max_length, stride=None, **settings):
        super().__init__(tokenizer, max_length, **settings)
        windows.check_stride(stride, self.max_length)
        self.stride = stride

    def inference_inputs(self, texts):
        """The inputs of N rows, or where a stride is set those of W windows with "window_texts" [W]."""
        if not self.stride:
            return self.preprocess(texts)
        first, *others = [self.tokenizer(text) for text in texts]
        if not others:
            return self.to_rows([], first)[0]
        present = tf.cast(tf.strings.length(texts[1]) > 0, tf.int64)  # "" is no second text
        lengths = first.row_lengths()
        last = tf.concat([head(first, lengths * (1 - present)), others[0]], 1)
        first = head(first, tf.minimum(lengths * present, (self.max_length - self.tokenizer.num_added(2)) // 2))
        return self.to_rows([first], last, present=present)[0]

    def to_rows(self, segments, last, length=None, present=None):
        """Pieces of N texts as the inputs of W rows, and the `Windows` that they are.

        Args:
            segments: what stands before the windows, [] or [the first texts], int32 ragged [N, (pieces)].
            last: the segment that is cut into windows, int32 ragged [N, (pieces)].
            length: pieces a row exactly; None: the longest row.
            present: 1 where the first text is there, 0 where it is not and `last` alone makes the row, int64 [N].
        """
        present = tf.ones_like(last.row_lengths()) if present is None else present
        added = self.tokenizer.num_added(1 + len(segments) * present)  # special tokens, one of them after the window
        before = sum(segment.row_lengths() for segment in segments) + added - 1
        cut = windows.cut(last, self.max_length - 1 - before, self.stride, before)
        rows = [*(tf.gather(segment, cut.texts) for segment in segments), cut.take(last)]
        present = [tf.gather(present, cut.texts)] * len(segments) + [tf.ones_like(cut.texts)]
        inputs = self.tokenizer.join(rows, length, present)
        return inputs | {windows.WINDOW_TEXTS: tf.cast(cut.texts, tf.int32)}, cut

    def predict_inputs(self, inputs):
        """Decoded answers to rows of pieces, of N texts where the rows are their windows."""
        if windows.WINDOW_TEXTS not in inputs:
            return super().predict_inputs(inputs)
        return self.postprocess(self.put_together(self.forward_batched(inputs), inputs), inputs)

    def put_together(self, outputs, inputs):
        """Outputs of W windows to those of N texts."""
        return windows.mean(outputs, inputs)

    def _batch_by_length(self, texts, batch_size):
        """As `Task`'s; where texts are read whole, fewer of them in a batch where they are long."""
        if not self.stride:
            return super()._batch_by_length(texts, batch_size)
        sizes = characters(texts)
        order = np.argsort(-sizes, kind="stable")
        first, batches = 0, []
        while first < len(order):
            count = max(1, min(batch_size, CHARACTERS // max(1, sizes[order[first]])))
            batches.append(order[first : first + count])
            first += count
        return batches

    def task_settings(self):
        return super().task_settings() | ({"stride": self.stride} if self.stride else {})

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {key: task[key] for key in ("stride",) if key in task}


def characters(texts):
    """How long each of the N encoded texts is, int64 [N]: strings, or ragged words."""
    lengths = [tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.int64) for text in texts]
    return sum(tf.reduce_sum(x, 1) if x.shape.rank == 2 else x for x in lengths).numpy()
