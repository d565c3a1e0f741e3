"""Texts with [MASK] tokens to inputs with the positions of these."""

from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.preprocessor import Preprocessor

# N texts, M masks


class FillMaskPreprocessor(Preprocessor):
    """Adds `masked_lm_positions` int32 [N, M] to the encoder's inputs; 0 after the last mask of a text."""

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        return self.complete(super().__call__(texts, length))

    def complete(self, inputs: dict) -> dict:
        if features.MASKED_LM_POSITIONS in inputs:
            return inputs
        ids = inputs[features.INPUT_IDS]
        is_mask = ids == self.tokenizer.mask_id
        positions = tf.zeros_like(ids) + tf.range(tf.shape(ids)[1])
        return inputs | {features.MASKED_LM_POSITIONS: tf.ragged.boolean_mask(positions, is_mask).to_tensor()}

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        rows = {name: value for name, value in inputs.items() if name != features.MASKED_LM_POSITIONS}
        return super().unpad(rows, *learned)

    def pad(self, rows: dict, *learned: Any) -> Any:
        return self.complete(super().pad(rows))
