"""Texts, or examples of two or three texts, to batches for sentence embeddings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.base.encoded import EncodedExamples
from bert_tf.tasks.base.long_text_task import LongTextPreprocessor
from bert_tf.tasks.base.metrics import encode_scores
from bert_tf.tasks.base.prepared import PreparedColumns
from bert_tf.tasks.base.raw_inputs import EXAMPLE, as_column, as_columns, as_rows
from bert_tf.text.input_packing import pack

# N examples, T texts of an example in training, S positions of a row

COLUMNS = ("text", "text_pair", "negative")


class EmbeddingPreprocessor(LongTextPreprocessor):
    """One column of texts to inputs [N, S], T > 1 columns to [N, T, S]."""

    def __init__(
        self,
        spec: Any,
        tokenizer: Any,
        max_length: int,
        stride: int | None,
        objective: str,
        texts_of_example: tuple[int, ...],
        max_score: float,
        prompts: Mapping[str, str],
        default_prompt_name: str | None,
    ):
        super().__init__(spec, tokenizer, max_length, stride)
        self.prompts, self.default_prompt_name = prompts, default_prompt_name
        self.objective, self.texts_of_example, self.max_score = objective, texts_of_example, max_score

    def encode_texts(self, texts: Any, training: bool = False) -> tuple:
        """Texts, or the two or three columns of training examples, as a tuple of string tensors [N].

        Raises:
            InputError: the objective has another number of texts, or a text is not a string, or is empty in training.
        """
        texts = as_columns(texts, COLUMNS)
        allowed = self.texts_of_example if training else (1, 2, 3)
        if len(texts) not in allowed:
            raise InputError(
                f"Received {len(texts)} text(s) per example. objective={self.objective!r} needs a tuple of "
                f"{' or '.join(map(str, allowed))} columns. {EXAMPLE}."
            )
        return as_rows(texts, COLUMNS, COLUMNS if training else ())

    def encode_examples(self, texts: Any, targets: Any) -> tuple:
        """As `Preprocessor.encode_examples`; without scores the targets number the distinct second texts, int32 [N]."""
        if self.objective == "similarity":
            return super().encode_examples(texts, targets)
        texts = self.encode_texts(texts, training=True)
        return texts, np.unique(texts[1].numpy(), return_inverse=True)[1].astype("int32")

    def encode_targets(self, targets: Any) -> np.ndarray:
        """Scores from 0 to `max_score` to float32 [N] in 0 to 1; others raise `InputError` with the row."""
        scores = encode_scores(targets) / self.max_score
        for row in np.flatnonzero((scores < 0) | (scores > 1)):
            raise InputError(
                f"Row {row} has the score {as_column(targets)[row]}. Scores are from 0 to {self.max_score:g}."
            )
        return scores

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """One column of texts to the inputs int32 [N, S], T > 1 columns to [N, T, S]; TensorFlow ops only."""
        texts = as_columns(texts)
        # All texts of a batch are padded to one length, so that they go through the encoder together.
        inputs = pack(self.tokenizer, [tf.concat(texts, 0)], self.max_length, length)
        if len(texts) == 1:
            return inputs
        columns = {name: tf.reshape(value, [len(texts), -1, tf.shape(value)[1]]) for name, value in inputs.items()}
        return {name: tf.transpose(value, [1, 0, 2]) for name, value in columns.items()}

    def inference_inputs(self, texts: tuple) -> dict:
        """As the base class for one column, which may be read in windows; as `__call__` for several."""
        if len(texts) == 1:
            return super().inference_inputs(texts)
        return self(texts)

    def encode(
        self, texts: Any, targets: Any = None, weights: Any = None, training: bool | None = None
    ) -> EncodedExamples:
        """As `Preprocessor.encode`; several columns are training examples also where the objective has no scores.

        Texts alone come after the default prompt.
        """
        if training is None and isinstance(texts, tuple) and self.objective != "similarity":
            training = True
        examples = super().encode(texts, targets, weights, training)
        if examples.targets is None:
            return dataclasses.replace(examples, texts=self.with_prompt(examples.texts))
        return examples

    def with_prompt(self, texts: tuple, prompt: str | None = None) -> tuple:
        """Encoded texts after one of the prompts, by its name; None: the default one, if there is one; "": none.

        An unknown name raises `ConfigError`.
        """
        name = self.default_prompt_name if prompt is None else prompt
        if not name:
            return texts
        if name not in self.prompts:
            raise ConfigError(f"Received: prompt={name!r}. Prompts of this model: {', '.join(self.prompts) or 'none'}.")
        return tuple(tf.strings.join([self.prompts[name], column]) for column in texts)

    def prepare_inference(self, texts: Any, prompt: str | None = None) -> Any:
        """`PreparedExamples` of one column of texts, `PreparedColumns` of several; `prompt` as for `with_prompt`."""
        columns = list(map(super().prepare_inference, self.with_prompt(self.encode_texts(texts), prompt)))
        return columns[0] if len(columns) == 1 else PreparedColumns(columns)
