"""Texts longer than a row: with a `stride` they are read whole, in overlapping windows, instead of truncated."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import select, take
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.spec import TaskSpec
from bert_tf.text.input_packing import head

# N texts, W windows, S positions of a row


class LongTextPreprocessor(Preprocessor):
    """Reads the beginning of a text in training and, where `stride` is set, all its windows in inference.

    A window begins `stride` tokens after the one before it. In a pair, the second text is cut into windows, each
    preceded by the first text, of which at most half a row is read.
    """

    def __init__(self, spec: TaskSpec, tokenizer: Any, max_length: int, stride: int | None = None):
        super().__init__(spec, tokenizer, max_length)
        windows.check_stride(stride, max_length)
        self.stride = stride

    def inference_inputs(self, texts: tuple) -> dict:
        """Inputs of N rows, int32 [N, S]; with a stride those of W windows, with "window_texts" int32 [W]."""
        if not self.stride:
            return self(texts)
        first = self.tokenizer(texts[0])
        if len(texts) == 1:
            return self.make_windows([], first)[0]
        second = self.tokenizer(texts[1])
        present = tf.cast(tf.strings.length(texts[1]) > 0, tf.int64)  # "" is no second text
        lengths = first.row_lengths()
        # Without a second text the first is the one that is cut into windows.
        last = tf.concat([head(first, lengths * (1 - present)), second], 1)
        first = head(first, tf.minimum(lengths * present, (self.max_length - self.tokenizer.num_added(2)) // 2))
        return self.make_windows([first], last, present=present)[0]

    def make_windows(
        self, segments: list, last: tf.RaggedTensor, length: int | None = None, present: Any = None
    ) -> tuple[dict, windows.Windows]:
        """Token ids of N texts to the inputs of W rows, and the `Windows` that the rows hold.

        Args:
            segments: [] or [the first texts], which precede every window, int32 ragged [N, (tokens)].
            last: the segment that is cut into windows, int32 ragged [N, (tokens)].
            length: tokens of a row exactly; None: of the longest row.
            present: 1 where the first text is there, 0 where `last` is the only segment of the row, int64 [N].
        """
        if present is None:
            present = tf.ones_like(last.row_lengths())
        added = self.tokenizer.num_added(1 + len(segments) * present)  # special tokens, one of them after the window
        before = sum(segment.row_lengths() for segment in segments) + added - 1
        cut = windows.cut(last, self.max_length - 1 - before, self.stride, before)
        rows = [*take(segments, cut.texts), cut.take(last)]
        present = [tf.gather(present, cut.texts)] * len(segments) + [tf.ones_like(cut.texts)]
        inputs = self.tokenizer.join(rows, length, present)
        return inputs | {windows.WINDOW_TEXTS: tf.cast(cut.texts, tf.int32)}, cut

    def characters(self, texts: tuple) -> np.ndarray | None:
        """Characters of each encoded text, int64 [N]; None without a stride."""
        return sum(map(_num_characters, texts)).numpy() if self.stride else None


class LongTextTask(Task):
    """A task that can read texts of any length in inference, in windows, and decodes the mean of their outputs.

    With `stride` None, the default, only the beginning of a text is read. The stride is saved with the model, and may
    be set at any time.
    """

    preprocessor: LongTextPreprocessor

    @property
    def stride(self) -> int | None:
        """Tokens from the start of one window to the start of the next; None: no windows."""
        return self.preprocessor.stride

    @stride.setter
    def stride(self, stride: int | None) -> None:
        self.preprocessor.stride = stride

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with the stride, where there is one."""
        settings = super().task_settings()
        if self.stride:
            settings["stride"] = self.stride
        return settings

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        """As `Task.saved_settings`, with the stride."""
        return super().saved_settings(task, source) | select(task, ("stride",))


def _num_characters(texts: Any) -> tf.Tensor:
    """Characters of each text, or list of words, int64 [N]."""
    lengths = tf.cast(tf.strings.length(texts, unit="UTF8_CHAR"), tf.int64)
    if lengths.shape.rank == 2:
        lengths = tf.reduce_sum(lengths, 1)
    return lengths
