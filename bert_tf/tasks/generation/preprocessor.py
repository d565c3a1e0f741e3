"""Source texts and target texts to the inputs and targets of a model that writes text."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from bert_tf.core import features
from bert_tf.tasks.base.batching import part_numbers, take
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.prepared import PreparedExamples
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.raw_inputs import as_strings
from bert_tf.tasks.spec import TaskSpec
from bert_tf.text.input_packing import head

# N examples, S tokens of a source with its marks, T tokens of a target without the last


class GenerationPreprocessor(Preprocessor):
    """Sources as every task reads texts; targets between a start and an end token, shifted for teacher forcing.

    A target of more than `max_target_length` tokens is cut, and has no end then: the model shall not learn to end in
    the middle of a sentence.

    Args:
        spec, tokenizer, max_length: as for `Preprocessor`; `max_length` is that of a source.
        max_target_length: most tokens of a target, with its start and end.
        start_id, end_id: the token that a target begins with, and the one that ends it.
    """

    def __init__(
        self, spec: TaskSpec, tokenizer: Any, max_length: int, max_target_length: int, start_id: int, end_id: int
    ):
        super().__init__(spec, tokenizer, max_length)
        self.max_target_length, self.start_id, self.end_id = max_target_length, start_id, end_id

    def encode_targets(self, targets: Any) -> tf.Tensor:
        """Target texts as a string tensor [N]; one that is no string, or is empty, raises `InputError` with its row."""
        return as_strings(targets, "target", allow_empty=False)

    def target_rows(self, targets: tf.Tensor) -> tf.RaggedTensor:
        """Encoded targets, string [N], to token ids with their start and end, int32 ragged [N, (2 to T + 1)]."""
        ids = self.tokenizer(tf.strings.substr(targets, 0, self.tokenizer.max_bytes(self.max_target_length)))
        start = tf.fill([ids.nrows(), 1], self.start_id)
        end = tf.fill([ids.nrows(), 1], self.end_id)
        rows = tf.concat([start, ids, end], 1)
        return head(rows, tf.minimum(rows.row_lengths(), self.max_target_length))

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Encoded texts to the encoder's inputs, int32 [N, S], and a target that only begins, int32 [N, 1]."""
        return self.complete(super().__call__(texts, length))

    def complete(self, inputs: dict) -> dict:
        """Adds the start token as target, int32 [N, 1], to inputs without a target."""
        if features.TARGET_IDS in inputs:
            return inputs
        start = tf.ones_like(inputs[features.INPUT_IDS][:, :1])
        return inputs | {features.TARGET_IDS: start * self.start_id, features.TARGET_MASK: start}

    def inference_inputs(self, texts: tuple) -> dict:
        """Encoded texts to the encoder's inputs alone."""
        return super().__call__(texts)

    def to_batch(self, texts: tuple, targets: tf.Tensor, weights: Any = None) -> tuple:
        """(inputs, targets int32 [N, T], weights float32 [N, T]) of a training step.

        The inputs are the encoder's, int32 [N, S], and the target up to its last token but one, int32 [N, T]; the
        targets are the token that follows each. A weight is that of the example, or 0 for padding.
        """
        rows = self.target_rows(targets)
        inputs = self(texts) | self._target_inputs(rows[:, :-1])
        following = rows[:, 1:]
        token_weights = tf.cast(tf.ones_like(following), tf.float32)
        if weights is not None:
            token_weights *= tf.cast(weights, tf.float32)[:, tf.newaxis]
        return inputs, following.to_tensor(), token_weights.to_tensor()

    def _target_inputs(self, rows: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        return {
            features.TARGET_IDS: rows.to_tensor(self.tokenizer.pad_id),
            features.TARGET_MASK: tf.ones_like(rows).to_tensor(),
        }

    # Tokenized once.

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """As the base class; the target, and what is learned of it, without padding too."""
        inputs = dict(inputs)
        mask = inputs.pop(features.TARGET_MASK, None)
        if mask is None:
            return super().unpad(inputs, *learned)
        lengths = tf.reduce_sum(mask, 1)
        ids = inputs.pop(features.TARGET_IDS)
        rows, *_ = super().unpad(inputs)
        rows[features.TARGET_IDS] = tf.RaggedTensor.from_tensor(ids, lengths)
        return (rows, *(tf.RaggedTensor.from_tensor(value, lengths) for value in learned))

    def pad(self, rows: dict, *learned: Any) -> Any:
        """As the base class, with the target and its mask."""
        rows = dict(rows)
        ids = rows.pop(features.TARGET_IDS, None)
        if ids is None:
            return super().pad(rows, *learned)
        inputs, *learned = super().pad(rows, *learned)
        return (inputs | self._target_inputs(ids), *learned)

    def lengths(self, inputs: dict) -> np.ndarray:
        """Tokens of each source, and with its target where there is one; int [N]."""
        lengths = super().lengths(inputs)
        if features.TARGET_IDS in inputs:
            lengths = lengths + inputs[features.TARGET_IDS].row_lengths().numpy()
        return lengths

    def prepare(self, texts: Any, targets: Any = None, weights: Any = None) -> PreparedExamples:
        """As the base class; a logged line says how many sources and targets are cut."""
        examples = texts if isinstance(texts, EncodedExamples) else self.encode(texts, targets, weights)
        self._tell_cut(examples.texts, "source", self.max_length, self._exceed)
        if examples.targets is not None:
            self._tell_cut((examples.targets,), "target", self.max_target_length, self._have_no_end)
        return super().prepare(examples)

    def prepare_inference(self, texts: Any) -> PreparedExamples:
        """As the base class; an empty source raises `InputError`, and a logged line says how many are cut."""
        texts = self.encode_texts(texts, training=True)
        prepared = super().prepare_inference(texts)
        full = np.flatnonzero(prepared.lengths >= self.max_length)  # the others need not be tokenized again
        self._tell_cut(texts, "source", self.max_length, self._exceed, full)
        return prepared

    def _tell_cut(self, texts: tuple, what: str, limit: int, are_cut: Callable, long: np.ndarray | None = None) -> None:
        """Logs how many of N examples have more than `limit` tokens; `are_cut` says which of some do, bool [M].

        `long` are the numbers of those that may have more; None: by their bytes.
        """
        total = int(texts[0].shape[0])
        if long is None:
            bytes_of = sum(map(tf.strings.length, texts)).numpy()
            long = np.flatnonzero(bytes_of > limit - 2)  # a token has a byte at least, and two are marks
        count = 0
        for part in part_numbers(take(texts, long), self.PART_BYTES):
            count += int(np.sum(are_cut(take(texts, long[part]))))
        if count:
            logging.warning("%d of %d %ss have more than %d tokens and are cut.", count, total, what, limit)

    def _exceed(self, texts: tuple) -> np.ndarray:
        rows = Preprocessor(self.spec, self.tokenizer, self.max_length + 1)(texts)
        return tf.reduce_sum(rows[features.INPUT_MASK], 1).numpy() > self.max_length

    def _have_no_end(self, targets: tuple) -> np.ndarray:
        rows = self.target_rows(targets[0])
        return rows[:, -1:].values.numpy() != self.end_id
