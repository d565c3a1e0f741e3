"""Texts longer than a row: with a `stride` they are read whole, in overlapping windows, instead of cut short."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.tasks.base import windows
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.task import Task
from bert_tf.tasks.spec import TaskSpec
from bert_tf.text.input_packing import head

# N texts, W windows, S positions of a row


class LongTextPreprocessor(Preprocessor):
    """The beginning of a text for training; for inference, where `stride` is set, all windows of it.

    A window begins `stride` tokens after the one before it. Of a pair the second text is cut into windows, each after
    at most half a row of the first.
    """

    def __init__(self, spec: TaskSpec, tokenizer: Any, max_length: int, stride: int | None = None):
        super().__init__(spec, tokenizer, max_length)
        windows.check_stride(stride, max_length)
        self.stride = stride

    def inference_inputs(self, texts: tuple) -> dict:
        """The inputs of N rows, or with a stride those of W windows with "window_texts" [W]."""
        if not self.stride:
            return self(texts)
        first, *others = [self.tokenizer(text) for text in texts]
        if not others:
            return self.make_windows([], first)[0]
        present = tf.cast(tf.strings.length(texts[1]) > 0, tf.int64)  # "" is no second text
        lengths = first.row_lengths()
        last = tf.concat([head(first, lengths * (1 - present)), others[0]], 1)
        first = head(first, tf.minimum(lengths * present, (self.max_length - self.tokenizer.num_added(2)) // 2))
        return self.make_windows([first], last, present=present)[0]

    def make_windows(
        self, segments: list, last: tf.RaggedTensor, length: int | None = None, present: Any = None
    ) -> tuple[dict, windows.Windows]:
        """Token ids of N texts as the inputs of W rows, and the `Windows` that they are.

        Args:
            segments: what comes before the windows, [] or [the first texts], int32 ragged [N, (tokens)].
            last: the segment that is cut into windows, int32 ragged [N, (tokens)].
            length: tokens of a row exactly; None: the longest row.
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

    def characters(self, texts: tuple) -> np.ndarray | None:
        return sum(_num_characters(text) for text in texts).numpy() if self.stride else None


class LongTextTask(Task):
    """A task that can read texts of any length for inference, in windows; its answer is that to their mean output.

    `stride` None, the default, reads the beginning of a text. It is kept in the folder, and may be set on a model at
    any time.
    """

    preprocessor: LongTextPreprocessor

    @property
    def stride(self) -> int | None:
        """Tokens from the begin of one window to that of the next; None: no windows."""
        return self.preprocessor.stride

    @stride.setter
    def stride(self, stride: int | None) -> None:
        self.preprocessor.stride = stride

    def task_settings(self) -> dict:
        return super().task_settings() | ({"stride": self.stride} if self.stride else {})

    @classmethod
    def saved_settings(cls, task: dict, source: Any) -> dict:
        return super().saved_settings(task, source) | {key: task[key] for key in ("stride",) if key in task}


def _num_characters(texts: Any) -> tf.Tensor:
    """Characters of each text, or list of words, int64 [N]."""
    lengths = tf.cast(tf.strings.length(texts, unit="UTF8_CHAR"), tf.int64)
    return tf.reduce_sum(lengths, 1) if lengths.shape.rank == 2 else lengths
