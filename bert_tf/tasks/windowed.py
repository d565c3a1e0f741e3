"""What the tasks share whose answers stand in the text: their rows are windows of texts, and no text is cut short."""

import numpy as np
import tensorflow as tf

from bert_tf import features
from bert_tf.data.plans import Plan, SingleRows, SortedRows
from bert_tf.tasks import windows
from bert_tf.tasks.batches import build_batches, take
from bert_tf.tasks.task import Task
from bert_tf.text.packing import pack_pieces

# N texts, W windows, S positions of a row

_CHARACTERS = 2**20  # of texts tokenized at once, about
_ROWS = 64  # in the model at once while answering


class WindowedTask(Task):
    """A task with W rows for N texts: `preprocess` gives "window_texts" [W] beside the encoder's inputs.

    A subclass says in `to_batch` what is learned from the windows of a text, each a row of its own in training, and
    in `answer` how they are put together. Every window begins `stride` pieces behind the one before it.
    """

    LOGITS = tf.float32  # the dtypes of what `call` returns

    def __init__(self, tokenizer, max_length, stride, **settings):
        super().__init__(tokenizer, max_length, **settings)
        windows.check_stride(stride, self.max_length)
        self.stride = stride or max(1, min(128, self.max_length // 2))

    def to_rows(self, segments, last, length=None):
        """Pieces of N texts as the inputs of W rows, and the `Windows` that they are.

        Args:
            segments: what stands before the windows, [] or [the first texts], int32 ragged [N, (pieces)].
            last: the segment that is cut into windows, int32 ragged [N, (pieces)].
            length: pieces a row exactly; None: the longest row.
        """
        before = sum(segment.row_lengths() + 1 for segment in segments) + 1  # [SEP] each, and [CLS]
        cut = windows.cut(last, self.max_length - 1 - before, self.stride, before)
        rows = [*(tf.gather(segment, cut.texts) for segment in segments), cut.take(last)]
        inputs = pack_pieces(self.tokenizer, rows, length)
        return inputs | {windows.WINDOW_TEXTS: tf.cast(cut.texts, tf.int32)}, cut

    def answer_tokens(self, inputs):
        """Decoded answers of the rows that `preprocess` gives; places in rows without it are counted in pieces."""
        if windows.WINDOW_TEXTS not in inputs:
            inputs = inputs | {windows.WINDOW_TEXTS: tf.range(tf.shape(inputs[features.INPUT_IDS])[0])}
            inputs |= self.places_in_row(inputs)
        encoder_inputs = {name: inputs[name] for name in features.ENCODER_INPUTS}
        outputs = windows.call_in_parts(lambda part: self(part, training=False), encoder_inputs, _ROWS, self.LOGITS)
        return self.answer(outputs, inputs)

    def answered_together(self, texts, batch_size):
        """As `Task`'s, with fewer texts in a batch where they are long."""
        sizes = _characters(texts)
        order = np.argsort(-sizes, kind="stable")
        first, batches = 0, []
        while first < len(order):
            count = max(1, min(batch_size, _CHARACTERS // max(1, sizes[order[first]])))
            batches.append(order[first : first + count])
            first += count
        return batches

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
        plan = Plan(batch_size, seed, shuffle, *shard, drop_remainder)
        order = SortedRows(plan, lengths) if shuffle else SingleRows(plan, len(lengths), None)
        return build_batches(order, lambda numbers: self._pad(take(rows, numbers)), start, repeat)

    def _learned_rows(self, texts, targets):
        """What `to_batch` gives for all texts, without padding: ragged where it had a position axis."""
        part = np.cumsum(_characters(texts)) // _CHARACTERS
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

    def task_settings(self):
        return super().task_settings() | {"stride": self.stride}

    @classmethod
    def saved_settings(cls, task, source):
        return super().saved_settings(task, source) | {key: task[key] for key in ("stride",) if key in task}


def _characters(texts):
    """How long each of the N encoded texts is, int64 [N]: strings, or ragged words."""
    lengths = [tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.int64) for text in texts]
    return sum(tf.reduce_sum(x, 1) if x.shape.rank == 2 else x for x in lengths).numpy()


def _cut(value, lengths):
    return value if value.shape.rank == 1 else tf.RaggedTensor.from_tensor(value, lengths)
