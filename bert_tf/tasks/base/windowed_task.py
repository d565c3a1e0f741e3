"""What the tasks share whose answers stand in the text: their rows are windows of texts, and no text is cut short."""

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.data.pipeline.batch_samplers import BatchPlan, LengthGroupedSampler, SequentialSampler
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import build_batches, take
from bert_tf.tasks.base.long_text_task import CHARACTERS, LongTextTask, characters

# N texts, W windows, S positions of a row


class WindowedTask(LongTextTask):
    """A task with W rows for N texts: `preprocess` gives "window_texts" [W] beside the encoder's inputs.

    A subclass says in `to_batch` what is learned from the windows of a text, each a row of its own in training, and
    in `postprocess` how they are put together. Every window begins `stride` pieces behind the one before it.
    """

    PER_PIECE = True

    def __init__(self, tokenizer, max_length, stride, **settings):
        super().__init__(tokenizer, max_length, stride, **settings)
        self.stride = stride or max(1, min(128, self.max_length // 2))

    def inference_inputs(self, texts):
        return self.preprocess(texts)

    def predict_inputs(self, inputs):
        """Decoded answers of the rows that `preprocess` gives; places in rows without it are counted in pieces."""
        if windows.WINDOW_TEXTS not in inputs:
            inputs = inputs | {windows.WINDOW_TEXTS: tf.range(tf.shape(inputs[features.INPUT_IDS])[0])}
            inputs |= self.places_in_row(inputs)
        return self.postprocess(self.forward_batched(inputs), inputs)

    def dataset(
        self,
        texts,
        targets=None,
        batch_size=32,
        shuffle=False,
        seed=0,
        start=0,
        shard=(0, 1),
        drop_remainder=False,
        repeat=1,
    ):
        """As `Task`'s; with targets a batch has `batch_size` windows, without all those of so many texts."""
        if targets is None:
            return super().dataset(texts, None, batch_size, shuffle, seed, start, shard, drop_remainder, repeat)
        rows = self._learned_rows(*self.encode_pairs(texts, targets))
        lengths = rows[0][features.INPUT_IDS].row_lengths().numpy()
        plan = BatchPlan(batch_size, seed, shuffle, *shard, drop_remainder)
        sampler = LengthGroupedSampler(plan, lengths) if shuffle else SequentialSampler(plan, len(lengths), None)
        return build_batches(sampler, lambda numbers: self._pad(take(rows, numbers)), start, repeat)

    def _learned_rows(self, texts, targets):
        """What `to_batch` gives for all texts, without padding: ragged where it had a position axis."""
        part = np.cumsum(characters(texts)) // CHARACTERS
        parts = []
        for number in np.unique(part):
            chosen = np.flatnonzero(part == number)
            inputs, *learned = self.to_batch(take(texts, chosen), take(targets, chosen))
            lengths = tf.reduce_sum(inputs[features.INPUT_MASK], 1)
            inputs = {name: inputs[name] for name in (features.INPUT_IDS, features.SEGMENT_IDS)}
            parts.append(tf.nest.map_structure(lambda value, lengths=lengths: _cut(value, lengths), (inputs, *learned)))
        return tf.nest.map_structure(lambda *values: tf.concat(values, 0), *parts)

    def _pad(self, rows):
        inputs, *learned = rows
        ids = inputs[features.INPUT_IDS]
        return (
            {
                features.INPUT_IDS: ids.to_tensor(self.tokenizer.pad_id),
                features.INPUT_MASK: tf.ones_like(ids).to_tensor(),
                features.SEGMENT_IDS: inputs[features.SEGMENT_IDS].to_tensor(),
            },
            *tf.nest.map_structure(lambda x: x.to_tensor() if isinstance(x, tf.RaggedTensor) else x, learned),
        )


def _cut(value, lengths):
    return value if value.shape.rank == 1 else tf.RaggedTensor.from_tensor(value, lengths)
