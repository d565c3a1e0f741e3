"""Batches of raw texts that Keras's methods take: `tf.data`, `PyDataset`s and generators."""

import contextlib
import dataclasses
import itertools
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.raw_inputs import is_text


@dataclasses.dataclass(frozen=True)
class TextStream:
    """Batches `(x, y, sample_weight)` of raw texts from `tf.data`, a `PyDataset` or a generator.

    Attributes:
        batches: returns an iterator over one pass.
        first: the first batch, for its form.
        count: batches of a pass; None: unknown.
    """

    batches: Callable[[], Iterator]
    first: Any
    count: int | None

    def dataset(self, task: Any, training: bool, class_weight: Any = None) -> tf.data.Dataset:
        """The batches as inputs of a task; with targets and weights, and weights of classes by number, in training."""

        def prepare(batch: Any) -> PreparedExamples:
            x, y, sample_weight = _unpack(batch)
            if not training:
                return task.preprocessor.prepare(task.preprocessor.encode(x, training=False))
            examples = task.preprocessor.encode(x, y, sample_weight, training=True)
            return task.weighted(task.preprocessor.prepare(examples), class_weight)

        def prepared_batches() -> Iterator:
            for batch in self.batches():
                yield prepare(batch).whole()

        signature = task.dataset(prepare(self.first)).element_spec
        data = tf.data.Dataset.from_generator(prepared_batches, output_signature=signature)
        if self.count is None:
            return data
        return data.apply(tf.data.experimental.assert_cardinality(self.count))


def text_stream(x: Any, shuffle: bool = False) -> tuple[TextStream | None, Any]:
    """(the `TextStream` in x, or None; x for Keras: of a generator, the first batch is taken to look at it).

    Raises:
        InputError: a `tf.data.Dataset` has single texts, or no batch.
    """
    if isinstance(x, tf.data.Dataset):
        texts = tf.nest.flatten(keras.utils.unpack_x_y_sample_weight(x.element_spec)[0])
        if not texts or texts[0].dtype != tf.string:
            return None, x
        if texts[0].shape.rank == 0:
            raise InputError("Received a tf.data.Dataset of single texts. Give batches of them: dataset.batch(32).")
        count = int(x.cardinality())
        return _stream(lambda: iter(x), next(iter(x.take(1)), None), count if count >= 0 else None), x
    if isinstance(x, keras.utils.PyDataset):
        if x.num_batches == 0 or not _has_texts(x[0]):
            return None, x
        return _stream(lambda: _batches_of(x, shuffle), x[0], x.num_batches), x
    if isinstance(x, types.GeneratorType):
        first = next(x, None)
        rest = (batch for batch in itertools.chain([first], x))
        return (_stream(lambda: rest, first, None) if _has_texts(first) else None), rest
    return None, x


class KeptPipeline:
    """A `tf.data` pipeline over batches that Python makes; it is built once, for one use at a time.

    Args:
        signature: of a batch, a nest of `tf.TensorSpec`.
    """

    def __init__(self, signature: Any):
        self._batches: Iterator = iter(())
        self._data = tf.data.Dataset.from_generator(lambda: self._batches, output_signature=signature)

    def over(self, batches: Iterator) -> tf.data.Dataset:
        """The pipeline, which now gives these batches."""
        self._batches = batches
        return self._data


@contextlib.contextmanager
def input_errors() -> Iterator[None]:
    """Raises an `InputError` in a stream as itself; `tf.data` wraps its text in an error of TensorFlow."""
    try:
        yield
    except tf.errors.OpError as error:
        if found := re.search(r"InputError: (.*)", str(error)):
            raise InputError(found[1]) from None
        raise


def _stream(batches: Callable[[], Iterator], first: Any, count: int | None) -> TextStream:
    if first is None:
        raise InputError("Received a data set without a batch.")
    return TextStream(batches, first, count)


def _has_texts(batch: Any) -> bool:
    x, _, _ = _unpack(batch)
    return x is not None and is_text(x)


def _unpack(batch: Any) -> tuple:
    """(x, y, sample_weight) of a batch; a list of strings is x alone."""
    if isinstance(batch, list) and batch and all(isinstance(text, str | bytes) for text in batch):
        return batch, None, None
    return keras.utils.unpack_x_y_sample_weight(batch)


def _batches_of(data: keras.utils.PyDataset, shuffle: bool) -> Iterator:
    """One pass over a `PyDataset`; without end where it has no number of batches."""
    numbers: Any = itertools.count()
    if data.num_batches is not None:
        numbers = np.random.permutation(data.num_batches) if shuffle else range(data.num_batches)
    data.on_epoch_begin()
    for number in numbers:
        yield data[int(number)]
    data.on_epoch_end()
