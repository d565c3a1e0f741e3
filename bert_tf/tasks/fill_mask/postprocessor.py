"""Logits at masks to the most likely tokens."""

from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.tasks.base.postprocessor import Postprocessor
from bert_tf.tasks.base.raw_inputs import as_python

# N texts, M masks, K tokens


class FillMaskPostprocessor(Postprocessor):
    """The `top_k` most likely tokens for each mask."""

    def __init__(self, tokenizer: Any, max_length: int, top_k: int):
        self.tokenizer, self.max_length, self.top_k = tokenizer, max_length, top_k

    def __call__(self, outputs: tf.Tensor, inputs: dict) -> dict:
        """Logits, float32 [N, M, V], to "pieces" (tokens, strings) and "scores" (probabilities), [N, M, K] each.

        The best token is the first. Rows are padded with "" and 0 after the last mask of a text.
        """
        logits = outputs[..., : self.tokenizer.vocab_size]  # rows that pad the embedding are no tokens
        best = tf.math.top_k(tf.nn.softmax(logits), self.top_k)
        real = (inputs[features.MASKED_LM_POSITIONS] > 0)[..., tf.newaxis]  # position 0 is [CLS]
        return {
            "pieces": tf.where(real, tf.gather(self.tokenizer.vocabulary, best.indices), ""),
            "scores": tf.where(real, best.values, 0.0),
        }

    def to_python(self, answer: dict) -> dict:
        """{"pieces": [K tokens for each mask], "scores": [K probabilities for each mask]}."""
        answer = super().to_python(answer)
        masks = sum(tokens[0] != "" for tokens in answer["pieces"])
        return {name: rows[:masks] for name, rows in answer.items()}

    def quote(self, answers: list[dict], texts: tuple) -> list[dict]:
        """The answers unchanged; a text without a mask within `max_length` raises `InputError` with its row."""
        for row, answer in enumerate(answers):
            if not answer["pieces"]:
                text = as_python(texts[0][row].numpy())
                mask = self.tokenizer.SPECIAL_TOKENS.mask
                raise InputError(
                    f"Row {row}: {text[:80]!r} has no {mask} to fill in its first {self.max_length} tokens."
                )
        return answers
