"""Contexts with endings to batches for multiple choice."""

from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.core.settings import LARGEST_INTEGER, shortened
from bert_tf.tasks.base.labels import is_indicator
from bert_tf.tasks.base.preprocessor import Preprocessor
from bert_tf.tasks.base.raw_inputs import as_column, as_columns, as_list, as_strings
from bert_tf.text.input_packing import pack

# N examples, E endings, S positions of a row


class MultipleChoicePreprocessor(Preprocessor):
    """One row for each pair of a context and an ending: inputs int32 [N, E, S].

    Examples may have different numbers of endings. E is the largest; the others are "" in the texts, and their rows
    are padding alone.
    """

    def encode_texts(self, texts: Any, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        """Contexts [N] and lists of endings [N] as string tensors [N] and [N, E].

        Raises:
            InputError: a text is no string, or an example has fewer than two endings; names its row.
        """
        texts = as_columns(texts, self.spec.texts)
        if len(texts) != 2:
            raise InputError(
                'Received texts without endings. Give a tuple of contexts and lists of endings, (["a"], [["b", "c"]]).'
            )
        contexts = as_strings(texts[0], "context", allow_empty=not training)
        endings = texts[1] if tf.is_tensor(texts[1]) else _padded(texts[1], training)
        if contexts.shape[0] != endings.shape[0]:
            raise InputError(f"Received {contexts.shape[0]} contexts and endings for {endings.shape[0]}.")
        return contexts, endings

    def encode_targets(self, targets: Any) -> np.ndarray:
        """Places of the right endings, from 0, to int32 [N]; a bad one raises `InputError` with its row."""
        places = []
        for row, target in enumerate(as_column(targets)):
            if isinstance(target, list) and is_indicator(target, len(target)) and sum(target) == 1:  # one-hot
                target = target.index(1)
            is_number = isinstance(target, int | float) and not isinstance(target, bool)
            if not is_number or not 0 <= target <= LARGEST_INTEGER or target % 1:
                raise InputError(f"Row {row} has the target {shortened(target)}. It is the place of an ending, from 0.")
            places.append(int(target))
        return np.array(places, "int32")

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """As the base's; a target beyond the endings of its example raises `InputError` with the row."""
        texts, places = super().encode_examples(texts, targets)
        counts = tf.reduce_sum(tf.cast(texts[1] != "", tf.int32), 1).numpy()  # [N]
        for row in np.flatnonzero(places >= counts):
            raise InputError(
                f"Row {row} has the target {places[row]} and {counts[row]} endings, which are counted from 0."
            )
        return texts, places

    def __call__(self, texts: Any, length: int | None = None) -> dict[str, tf.Tensor]:
        contexts, endings = texts
        shape = tf.shape(endings)  # N, E
        pairs = [tf.repeat(contexts, shape[1]), tf.reshape(endings, [-1])]  # [N * E] each
        inputs = pack(self.tokenizer, pairs, self.max_length, length)
        real = tf.cast(pairs[1] != "", tf.int32)[:, tf.newaxis]  # [N * E, 1]
        inputs = {name: value * real for name, value in inputs.items()}
        inputs[features.INPUT_IDS] += self.tokenizer.pad_id * (1 - real)
        return {
            name: tf.ensure_shape(tf.reshape(value, [*tf.unstack(shape), -1]), [None, endings.shape[1], length])
            for name, value in inputs.items()
        }


def _padded(endings: Any, training: bool) -> tf.Tensor:
    """Lists of endings as strings [N, E]; "" is an ending that is not there, which training refuses."""
    endings = as_list(endings)
    for row, listed in enumerate(endings):
        if not isinstance(listed, list):
            raise InputError(f"Row {row}: the endings are {listed!r}. They are a list of strings.")
        if len(listed) < 2:
            raise InputError(f"Row {row} has {len(listed)} ending(s). There must be at least two to choose from.")
        for ending in listed:
            if not isinstance(ending, str | bytes) or (training and not ending.strip()):
                raise InputError(f"Row {row}: the ending is {ending!r}. It must be a string with text.")
    lengths = [len(listed) for listed in endings]
    flat = np.array([ending for listed in endings for ending in listed], object)
    return tf.RaggedTensor.from_row_lengths(tf.constant(flat, tf.string), lengths).to_tensor("")
