"""Tasks whose answers are places in the text: their rows are always windows, and no text is truncated."""

from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.long_text_task import LongTextPreprocessor, LongTextTask
from bert_tf.tasks.spec import TaskSpec

# N texts, W windows, S positions of a row


class WindowedPreprocessor(LongTextPreprocessor):
    """W rows for N texts: `__call__` returns "window_texts" int32 [W] in addition to the encoder's inputs.

    In training each window is an example of its own; a subclass defines its targets in `to_batch`.
    """

    PART_BYTES = 2**20

    def __init__(self, spec: TaskSpec, tokenizer: Any, max_length: int, stride: int | None = None):
        super().__init__(spec, tokenizer, max_length, stride)
        self.stride = stride or max(1, min(128, max_length // 2))

    def inference_inputs(self, texts: tuple) -> dict:
        """Encoded texts to the inputs of W windows, as in training."""
        return self(texts)

    def complete(self, inputs: dict) -> dict:
        """As the base class; each row of tokens is a text, and places are counted in its tokens."""
        if windows.WINDOW_TEXTS in inputs:
            return inputs
        inputs = inputs | {windows.WINDOW_TEXTS: tf.range(tf.shape(inputs[features.INPUT_IDS])[0])}
        return inputs | self.token_places(inputs)

    def token_places(self, inputs: dict) -> dict:
        """The places that `__call__` adds, counted in tokens of the row: int32 [W, S] each."""
        raise NotImplementedError

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """As the base class; learned values [W, S] are cut to the length of their row as well."""
        lengths = tf.reduce_sum(inputs[features.INPUT_MASK], 1)

        def cut(value: tf.Tensor) -> Any:
            if value.shape.rank == 1:  # one value per window
                return value
            return tf.RaggedTensor.from_tensor(value, lengths)

        return super().unpad(inputs, *tf.nest.map_structure(cut, learned))


class WindowedTask(LongTextTask):
    """A task with an output for every token; with targets, a batch has `batch_size` windows, not texts."""

    PER_TOKEN = True
