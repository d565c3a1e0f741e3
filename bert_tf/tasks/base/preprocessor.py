"""Texts and targets to the inputs of a task's model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base import windows
from bert_tf.tasks.base.batching import part_numbers, take
from bert_tf.tasks.base.encoded import EncodedExamples, encode_weights
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.raw_inputs import EXAMPLE, as_columns, as_rows, count
from bert_tf.tasks.spec import TaskSpec
from bert_tf.text.input_packing import pack

# N examples, W windows, S positions of a row


class Preprocessor:
    """Texts in, the encoder's inputs out; one object for training, inference and export.

    A subclass adds `encode_targets`, and `to_batch` where targets depend on how a text is tokenized.
    """

    PART_BYTES = 2**22  # bytes of text that are tokenized at once

    def __init__(self, spec: TaskSpec, tokenizer: Any, max_length: int):
        """Keeps the task's spec, its tokenizer and the most tokens of a row."""
        self.spec, self.tokenizer, self.max_length = spec, tokenizer, max_length

    # Checked Python values to tensors.

    def encode_texts(self, texts: Any, training: bool = False) -> tuple:
        """A column of texts, or a tuple of columns, as a tuple of string tensors [N].

        Raises:
            InputError: the number of columns is wrong, or a text is not a string or, in training, is empty; names its
                row.
        """
        names, optional = self.spec.texts, self.spec.optional_texts
        texts = as_columns(texts, names)
        if not len(names) - len(optional) <= len(texts) <= len(names):
            raise InputError(
                f"Received a tuple of {len(texts)} texts. {self.spec.name} reads {', '.join(names)}. {EXAMPLE}."
            )
        filled = set(names) - set(optional) if training else ()
        return as_rows(texts, names, filled)

    def encode_targets(self, targets: Any) -> Any:
        """Targets of N examples as tensors or arrays; a bad one raises `InputError` with its row."""
        raise InputError(f"A model for {self.spec.name} is not trained: it has the head of a pretrained model.")

    def blank_targets(self, texts: tuple) -> Any:
        """Stand-ins, as `encode_targets` returns targets, for N encoded texts that have none; nothing learns them."""
        raise InputError(f"A model for {self.spec.name} cannot be trained on texts without targets.")

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """(encoded texts, encoded targets) of N examples; a bad one raises `InputError` with its row."""
        texts = self.encode_texts(texts, training=True)
        if targets is None:
            raise InputError("Received texts without targets. Give one for each text: fit(texts, targets).")
        if count(targets) != texts[0].shape[0]:
            raise InputError(f"Received {texts[0].shape[0]} texts and {count(targets)} targets.")
        return texts, self.encode_targets(targets)

    def encode(
        self, texts: Any, targets: Any = None, weights: Any = None, training: bool | None = None
    ) -> EncodedExamples:
        """Texts, with targets and sample weights in training; `training` None: where there are targets.

        Raises:
            InputError: a text, target or weight is bad or missing, names its row; or there is nothing to train on.
        """
        if training is None:
            training = targets is not None
        if not training:
            return EncodedExamples(self.encode_texts(texts))
        texts, targets = self.encode_examples(texts, targets)
        rows = int(texts[0].shape[0])
        if not rows:
            raise InputError(f"Received no texts. {EXAMPLE}.")
        return EncodedExamples(texts, targets, encode_weights(weights, rows))

    # Encoded texts to inputs: TensorFlow ops only.

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Encoded texts to the encoder's inputs, each int32 [N, S]; S is `length`, or that of the longest row."""
        texts = as_columns(texts)
        optional = self.spec.texts[len(texts) - 1] in self.spec.optional_texts
        return pack(self.tokenizer, texts, self.max_length, length, optional)

    def to_batch(self, texts: tuple, targets: Any, weights: Any = None) -> tuple:
        """Encoded texts, targets and sample weights to the arguments of a training step, `(x, y[, sample_weight])`."""
        inputs = self.training_inputs(texts)
        return (inputs, targets) if weights is None else (inputs, targets, weights)

    def training_inputs(self, texts: tuple) -> dict:
        """Encoded texts to the inputs for training, before `unpad` and `pad`."""
        return self(texts)

    def inference_inputs(self, texts: tuple) -> dict:
        """Encoded texts to the inputs for inference: those of training, unless a task reads more of a text then."""
        return self(texts)

    def complete(self, inputs: dict) -> dict:
        """Adds the inputs that `__call__` returns in addition to the encoder's, for requests made of tokens."""
        return inputs

    # Tokenized once.

    def prepare(self, texts: Any, targets: Any = None, weights: Any = None) -> PreparedExamples:
        """Training examples, or texts alone, tokenized once; arguments and errors as for `encode`, or its result."""
        examples = texts if isinstance(texts, EncodedExamples) else self.encode(texts, targets, weights)
        if examples.targets is None:
            return self._prepare(examples.texts, lambda numbers: (self(take(examples.texts, numbers)),))

        def make(numbers: np.ndarray) -> tuple:
            part = examples.take(numbers)
            return self.to_batch(part.texts, part.targets, part.weights)

        return self._prepare(examples.texts, make)

    def prepare_inference(self, texts: Any) -> Any:
        """Texts for `predict_prepared` and `score_prepared` of the model, tokenized once (`PreparedExamples`)."""
        texts = self.encode_texts(texts)
        kept = {"texts": texts, "characters": self.characters(texts)}
        return self._prepare(texts, lambda numbers: (self.inference_inputs(take(texts, numbers)),), **kept)

    def characters(self, texts: tuple) -> np.ndarray | None:
        """Number of characters of each encoded text where it is read whole, int [N]; None where it is truncated."""
        return None

    def _prepare(self, columns: tuple, make: Callable, **kept: Any) -> PreparedExamples:
        """The batches that `make` returns for the numbers of texts, part by part, joined as ragged rows of all."""
        parts = [self.unpad(*make(numbers)) for numbers in part_numbers(columns, self.PART_BYTES)]
        rows = tf.nest.map_structure(lambda *values: tf.concat(values, 0), *parts)
        return PreparedExamples(rows, self.pad, self.lengths(rows[0]), **kept)

    def lengths(self, inputs: dict) -> np.ndarray:
        """The length, in tokens, by which examples are grouped: that of the longest row of each, int [N].

        `inputs` are those of all examples, as `unpad` returns them.
        """
        ids = tf.nest.flatten(inputs[features.INPUT_IDS])  # one tensor, or one for each of T texts
        return np.max(list(map(_longest_row, ids)), 0)

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """A batch without padding: inputs as int32 ragged [N, (S)], or [N, (windows), (S)] for windows.

        For T rows per example, inputs [N, T, S], each input is a tuple of T such tensors. `pad` is the inverse; it
        computes the mask again.
        """
        if inputs[features.INPUT_IDS].shape.rank == 3:
            columns: dict[str, list] = {}
            for i in range(inputs[features.INPUT_IDS].shape[1]):
                rows = self._unpad_rows({name: value[:, i] for name, value in inputs.items()})
                for name, value in rows.items():
                    columns.setdefault(name, []).append(value)
            return ({name: tuple(values) for name, values in columns.items()}, *learned)
        return (self._unpad_rows(inputs), *learned)

    def _unpad_rows(self, inputs: dict) -> dict:
        """Inputs [N, S] as ragged [N, (S)] without the mask; of W windows [N, (windows), (S)]."""
        inputs = dict(inputs)
        lengths = tf.reduce_sum(inputs.pop(features.INPUT_MASK), 1)
        texts = inputs.pop(windows.WINDOW_TEXTS, None)
        rows = {name: tf.RaggedTensor.from_tensor(value, lengths) for name, value in inputs.items()}
        if texts is not None:
            texts = tf.cast(texts, tf.int64)
            count = tf.reduce_max(tf.concat([[-1], texts], 0)) + 1  # every text has a window
            for name, row in rows.items():
                rows[name] = tf.RaggedTensor.from_value_rowids(row, texts, count)
        return rows

    def pad(self, rows: dict, *learned: Any) -> Any:
        """Rows that `unpad` returned to a batch padded to its longest row: `inputs`, or `(inputs, *learned)`."""
        ids = rows[features.INPUT_IDS]
        if isinstance(ids, tuple):
            width = tf.reduce_max([column.bounding_shape(1) for column in ids])
            columns: dict[str, list] = {}
            for i in range(len(ids)):
                padded = self._pad_rows({name: values[i] for name, values in rows.items()}, width)
                for name, value in padded.items():
                    columns.setdefault(name, []).append(value)
            inputs = {name: tf.stack(values, 1) for name, values in columns.items()}  # [N, T, S]
        else:
            inputs = self._pad_rows(rows)
        learned = tf.nest.map_structure(_as_dense, learned)
        return (inputs, *learned) if learned else inputs

    def _pad_rows(self, rows: dict, width: Any = None) -> dict:
        """Ragged rows to inputs [N, S], with the mask; S is `width`, or that of the longest row."""
        inputs = {}
        shape = None if width is None else tf.stack([-1, width])
        if rows[features.INPUT_IDS].ragged_rank == 2:
            inputs[windows.WINDOW_TEXTS] = tf.cast(rows[features.INPUT_IDS].value_rowids(), tf.int32)
            rows = {name: row.values for name, row in rows.items()}
        for name, row in rows.items():
            default = self.tokenizer.pad_id if name == features.INPUT_IDS else 0
            inputs[name] = row.to_tensor(default, shape=shape)
            if name == features.INPUT_IDS:
                inputs[features.INPUT_MASK] = tf.ones_like(row).to_tensor(shape=shape)
        return inputs


def _as_dense(value: Any) -> Any:
    """A ragged tensor padded with 0; other tensors unchanged."""
    if isinstance(value, tf.RaggedTensor):
        return value.to_tensor()
    return value


def _longest_row(ids: tf.RaggedTensor) -> np.ndarray:
    """Number of tokens of each example, of its longest window where it has several; int [N]."""
    if ids.ragged_rank == 1:
        return ids.row_lengths().numpy()
    return tf.reduce_max(ids.row_lengths(axis=2), 1).numpy()
