"""Texts and files to inputs: both in one row for a vector, or a row of each for a pair that is learned."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.multimodal_preprocessor import MultimodalPreprocessor
from bert_tf.tasks.base.raw_inputs import as_columns
from bert_tf.text.input_packing import pack

# N examples, S positions of a row


class MultimodalEmbeddingPreprocessor(MultimodalPreprocessor):
    """One row for a text, a file or both, inputs [N, S]; in training a row of the text and an empty one, [N, 2, S]."""

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """As `Preprocessor.encode_examples`; the targets number the distinct texts and files, int32 [N, 2]."""
        del targets  # there are none
        texts = self.encode_texts(texts, training=True)
        return texts, np.stack([distinct(texts[:1])[1], distinct(texts[1:])[1]], 1).astype("int32")

    def encode(
        self, texts: Any, targets: Any = None, weights: Any = None, training: bool | None = None
    ) -> EncodedExamples:
        """As `Preprocessor.encode`; a tuple of columns is training examples unless `training` is False."""
        if training is None:
            training = len(as_columns(texts, (*self.spec.texts, *self.modalities.names))) > 1
        return super().encode(texts, targets, weights, training)

    def training_inputs(self, texts: tuple) -> dict:
        """The words' inputs [N, 2, S], of which the second row of an example is empty, and contents."""
        count = tf.shape(texts[0])[0]
        words = tf.concat([texts[0], tf.fill([count], "")], 0)
        inputs = pack(self.tokenizer, [words], self.max_length)
        pairs = {}
        for name, value in inputs.items():
            pairs[name] = tf.transpose(tf.reshape(value, [2, count, tf.shape(value)[1]]), [1, 0, 2])
        return pairs | self.named_contents(texts[1:])

    def inference_inputs(self, texts: tuple) -> dict:
        """The words' inputs [N, S], and contents that `complete` decodes."""
        return pack(self.tokenizer, list(texts[:1]), self.max_length) | self.named_contents(texts[1:])

    def without_files(self, rows: dict) -> dict:
        """Rows of `prepare_inference` with the text alone."""
        empty = {name: tf.zeros_like(rows[name]) for name in self.contents_names}
        return rows | empty

    def without_text(self, rows: dict) -> dict:
        """Rows of `prepare_inference` with the files alone."""
        count = rows[features.INPUT_IDS].bounding_shape(0)
        empty = pack(self.tokenizer, [tf.fill([count], "")], self.max_length)
        return rows | self.unpad(empty)[0]


def distinct(columns: tuple) -> tuple[np.ndarray, np.ndarray]:
    """The first places of the distinct rows of columns of strings, int [M], and the number of each row, int [N]."""
    numbers: dict[tuple, int] = {}
    places, found = [], []
    for place, row in enumerate(zip(*(column.numpy().tolist() for column in columns), strict=True)):
        if row not in numbers:
            numbers[row] = len(numbers)
            places.append(place)
        found.append(numbers[row])
    return np.array(places, "int64"), np.array(found, "int64")
