"""Keras's methods for models that read text: what takes arrays takes raw texts too."""

import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.data.pipeline.batch_samplers import BatchPlan, check_batch_size
from bert_tf.tasks.base.batching import select, take
from bert_tf.tasks.base.class_weights import weigh_classes
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.raw_inputs import EXAMPLE, is_text
from bert_tf.tasks.base.text_streams import KeptPipeline, input_errors, text_stream

# N texts, S positions of a row

_BATCH = 32  # Keras's default


class RawTextMethods:
    """Mixed into a `keras.Model` with a `preprocessor`: texts and targets become the inputs of Keras's own method.

    Texts are a list, array, tensor or column of strings, a tuple, table or dict of them, or batches of them with their
    targets and weights: a `tf.data.Dataset`, a `PyDataset` or a generator. All other data goes to Keras unchanged.
    """

    preprocessor: Preprocessor
    INPUTS: tuple[str, ...]

    def dataset(
        self,
        texts: Any,
        targets: Any = None,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        start: int = 0,
        shard: tuple[int, int] = (0, 1),
        drop_remainder: bool = False,
        repeat: int | None = 1,
        sample_weight: Any = None,
    ) -> tf.data.Dataset:
        """Batches of inputs, and of targets if given, as `tf.data`; batch k depends on the seed and k alone.

        Args:
            texts, targets: as for `fit`; without targets the batches are inputs alone. Or `texts` is the result of
                `preprocessor.encode` or `preprocessor.prepare` for both.
            batch_size: examples of a batch; windows, where a task is trained on windows of texts.
            shuffle: whether examples are in random order, a new one in each epoch, grouped by similar length.
            seed: seed of the order.
            start: position of the first batch, counted over epochs; the batches before it are not computed.
            shard: `(worker, workers)`: the workers' batches at one position hold different examples. With several
                workers, the examples of an epoch that do not fill a batch for each are left out.
            drop_remainder: whether the last batch of an epoch is left out when it is not full.
            repeat: number of epochs; None repeats forever.
            sample_weight: weights of the examples in the loss [N]; None: all count the same.

        Raises:
            InputError: a text, target or weight is bad; names its row.
        """
        prepared = texts
        if not isinstance(prepared, PreparedExamples):
            prepared = self.preprocessor.prepare(texts, targets, sample_weight)
        sampler = prepared.sampler(BatchPlan(batch_size, seed, shuffle, *shard, drop_remainder))
        return prepared.batches(sampler, start, repeat)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = _BATCH,
        epochs: int = 1,
        *,
        shuffle: bool = True,
        validation_data: Any = None,
        validation_split: float = 0.0,
        validation_batch_size: int | None = None,
        class_weight: Any = None,
        sample_weight: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Keras's `fit`; x may be raw texts with targets y, or batches of them.

        `seed` sets the order of texts; None draws it from NumPy's generator, which `keras.utils.set_random_seed` seeds.

        Raises:
            InputError: a text, target or weight is bad or missing; names its row.
        """
        batch_size = _BATCH if batch_size is None else batch_size
        if class_weight is not None:
            class_weight = self.class_weights(class_weight, y)
        if is_text(x):
            examples = self.preprocessor.encode(x, y, sample_weight, training=True)
            if validation_split and validation_data is None:
                examples, validation_data = examples.split(validation_split)
            prepared = self.weighted(self.preprocessor.prepare(examples), class_weight)
            x = self._training_batches(prepared, batch_size, epochs, shuffle, seed, kwargs)
            y = sample_weight = class_weight = None
            validation_split, shuffle = 0.0, False
        else:
            stream, x = text_stream(x, shuffle)
            if stream is not None:
                x, shuffle = stream.dataset(self, True, class_weight), False
                class_weight = None
        if isinstance(validation_data, EncodedExamples):
            validation_data = self.dataset(validation_data, None, validation_batch_size or batch_size)
        elif validation_data is not None:
            validation_data = self._labelled_data(_parts(validation_data), validation_batch_size or batch_size)
        with input_errors():
            return super().fit(
                x,
                y,
                batch_size,
                epochs,
                shuffle=shuffle,
                validation_data=validation_data,
                validation_split=validation_split,
                validation_batch_size=validation_batch_size,
                class_weight=class_weight,
                sample_weight=sample_weight,
                **kwargs,
            )

    def _training_batches(
        self, prepared: PreparedExamples, batch_size: int, epochs: int, shuffle: bool, seed: int | None, how: dict
    ) -> tf.data.Dataset:
        """The batches of all epochs of `fit`, whose further arguments are `how`; sets its `steps_per_epoch`."""
        if seed is None:
            seed = int(np.random.randint(2**31))
        steps = how.get("steps_per_epoch")
        data = self.dataset(prepared, None, batch_size, shuffle, seed, repeat=None if steps else max(epochs, 1))
        steps = how["steps_per_epoch"] = steps or int(data.cardinality()) // max(epochs, 1)
        if start := steps * how.get("initial_epoch", 0):  # a run that resumes
            data = self.dataset(prepared, None, batch_size, shuffle, seed, start, repeat=None)
        return data

    def weighted(self, prepared: PreparedExamples, class_weight: Any) -> PreparedExamples:
        """The examples with the weights of their classes, by number; unchanged for None."""
        return prepared if class_weight is None else weigh_classes(prepared, class_weight)

    def class_weights(self, weights: Any, targets: Any = None) -> dict[int, float]:
        """Keras's `class_weight`, by number of the class; tasks without classes raise `ConfigError`."""
        del weights, targets
        raise ConfigError("Received: class_weight for a task without classes. Give sample_weight, one for each text.")

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = _BATCH,
        verbose: Any = "auto",
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Keras's `evaluate`: loss and metrics; x may be raw texts with targets y, or batches of them."""
        if not kwargs.get("_use_cached_eval_dataset"):  # then it is `fit` that calls, with data for Keras
            x, y, sample_weight = self._labelled_data(
                (x, y, sample_weight), _BATCH if batch_size is None else batch_size
            )
        with input_errors():
            return super().evaluate(x, y, batch_size, verbose, sample_weight, **kwargs)

    def _labelled_data(self, x_y_weight: tuple, batch_size: int) -> tuple:
        """(x, y, sample_weight) for Keras, in order: raw texts, and batches of them, as `tf.data` alone."""
        x, y, sample_weight = x_y_weight
        if is_text(x):
            examples = self.preprocessor.encode(x, y, sample_weight, training=True)
            return self.dataset(examples, batch_size=batch_size), None, None
        stream, x = text_stream(x)
        if stream is None:
            return x, y, sample_weight
        return stream.dataset(self, training=True), None, None

    def predict(
        self,
        x: Any,
        batch_size: int | None = _BATCH,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Keras's `predict`: logits; x may be raw texts, or batches of them."""
        if is_text(x):
            return self._predict_texts(x, _BATCH if batch_size is None else batch_size, verbose, steps, callbacks)
        stream, x = text_stream(x)
        if stream is not None:
            x = stream.dataset(self, training=False)
        with input_errors():
            return super().predict(x, batch_size, verbose, steps, callbacks)

    def _predict_texts(self, x: Any, batch_size: int, verbose: Any, steps: int | None, callbacks: Any) -> Any:
        """`predict` for raw texts, by a pipeline that is kept: to build one takes longer than a small model."""
        texts = self.preprocessor.encode(x, training=False).texts
        check_batch_size(batch_size)
        count = int(texts[0].shape[0])
        if not count:
            raise InputError(f"Received no texts. {EXAMPLE}.")
        numbers = np.arange(count)
        parts = [numbers[first : first + batch_size] for first in range(0, count, batch_size)]
        batches = (self._inputs_of(take(texts, part)) for part in parts)
        first = next(batches)
        rank = first[features.INPUT_IDS].shape.rank  # of several texts per example another one
        # A pipeline in use is not in the list: calls from several threads get one each.
        free = self.__dict__.setdefault("_free_pipelines", {}).setdefault(rank, [])
        pipeline = free.pop() if free else KeptPipeline(_any_size(first))
        data = pipeline.over(itertools.chain([first], batches))
        found = super().predict(data, None, verbose, steps or len(parts), callbacks)
        free.append(pipeline)
        return found

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, **kwargs: Any
    ) -> Any:
        """Keras's `train_on_batch`; x may be raw texts with targets y."""
        if class_weight is not None:
            class_weight = self.class_weights(class_weight, y)
        if is_text(x):
            x, y, sample_weight = self._labelled_batch(x, y, sample_weight, class_weight)
            class_weight = None
        return super().train_on_batch(x, y, sample_weight, class_weight, **kwargs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, **kwargs: Any) -> Any:
        """Keras's `test_on_batch`; x may be raw texts with targets y."""
        if is_text(x):
            x, y, sample_weight = self._labelled_batch(x, y, sample_weight)
        return super().test_on_batch(x, y, sample_weight, **kwargs)

    def _labelled_batch(self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> tuple:
        """(inputs, targets, sample_weight) of raw texts as one batch."""
        prepared = self.preprocessor.prepare(self.preprocessor.encode(x, y, sample_weight, training=True))
        return keras.utils.unpack_x_y_sample_weight(self.weighted(prepared, class_weight).whole())

    def predict_on_batch(self, x: Any) -> Any:
        """Keras's `predict_on_batch`; x may be raw texts."""
        return super().predict_on_batch(self.text_inputs(x) if is_text(x) else x)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The outputs of `call` for its inputs, or for raw texts."""
        if isinstance(inputs, keras.KerasTensor) and inputs.dtype == "string":
            raise InputError(
                "Received: a keras.Input of strings. A functional model takes the tokens, model.example_inputs(); call "
                "the task itself with texts, or serve strings with bert-tf export."
            )
        return super().__call__(self.text_inputs(inputs) if is_text(inputs) else inputs, *args, **kwargs)

    def text_inputs(self, texts: Any) -> dict[str, tf.Tensor]:
        """The inputs of `call` for raw texts, int32 [N, S] each; a bad text raises `InputError` with its row."""
        return self._inputs_of(self.preprocessor.encode(texts, training=False).texts)

    def _inputs_of(self, texts: tuple) -> dict[str, tf.Tensor]:
        return select(self.preprocessor(texts), self.INPUTS)


def _parts(validation_data: Any) -> tuple:
    """(x, y, sample_weight) of `validation_data`; `InputError` for texts alone, and for other numbers of parts."""
    is_sequence = isinstance(validation_data, list | tuple)
    if is_sequence and (len(validation_data) > 3 or any(isinstance(part, str | bytes) for part in validation_data)):
        raise InputError(
            f"Received: validation_data of {len(validation_data)} items. Give (texts, targets) or "
            "(texts, targets, weights)."
        )
    return keras.utils.unpack_x_y_sample_weight(validation_data)


def _any_size(batch: dict[str, tf.Tensor]) -> dict[str, tf.TensorSpec]:
    """The signature of batches like this one, of any sizes."""
    return {name: tf.TensorSpec([None] * value.shape.rank, value.dtype) for name, value in batch.items()}
