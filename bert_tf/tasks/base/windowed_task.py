"""Tasks whose answers are places in the text: their rows are always windows, and no text is cut short."""

from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.long_text_task import LongTextPreprocessor, LongTextTask
from bert_tf.tasks.spec import TaskSpec

# N texts, W windows, S positions of a row


class WindowedPreprocessor(LongTextPreprocessor):
    """W rows for N texts: `__call__` gives "window_texts" [W] beside the encoder's inputs.

    A subclass says in `to_batch` what is learned from the windows of a text: each is an example of its own in
    training.
    """

    PART_BYTES = 2**20

    def __init__(self, spec: TaskSpec, tokenizer: Any, max_length: int, stride: int | None = None):
        super().__init__(spec, tokenizer, max_length, stride)
        self.stride = stride or max(1, min(128, max_length // 2))

    def inference_inputs(self, texts: tuple) -> dict:
        return self(texts)

    def complete(self, inputs: dict) -> dict:
        """Adds what `__call__` gives; for rows of tokens alone, each a text, places are counted in tokens."""
        if windows.WINDOW_TEXTS in inputs:
            return inputs
        inputs = inputs | {windows.WINDOW_TEXTS: tf.range(tf.shape(inputs[features.INPUT_IDS])[0])}
        return inputs | self.token_places(inputs)

    def token_places(self, inputs: dict) -> dict:
        """The places that `__call__` adds, in tokens of the row."""
        raise NotImplementedError

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """As the base's; learned values [W, S] are cut to their row as well."""
        lengths = tf.reduce_sum(inputs[features.INPUT_MASK], 1)

        def cut(value: tf.Tensor) -> Any:
            return value if value.shape.rank == 1 else tf.RaggedTensor.from_tensor(value, lengths)

        return super().unpad(inputs, *tf.nest.map_structure(cut, learned))


class WindowedTask(LongTextTask):
    """A task with an output for every token; with targets, a batch has `batch_size` windows, not texts."""

    PER_TOKEN = True
