"""Texts with [MASK] tokens to inputs with the positions of these tokens."""

from typing import Any

import tensorflow as tf

from bert_tf.core import features
from bert_tf.tasks.base.preprocessor import Preprocessor

# N texts, M masks


class FillMaskPreprocessor(Preprocessor):
    """Adds `masked_lm_positions` int32 [N, M] to the encoder's inputs; 0 after the last mask of a text."""

    def __call__(self, texts: Any, length: int | None = None) -> dict:
        """Encoded texts to the encoder's inputs, int32 [N, S], and the positions of masks, int32 [N, M]."""
        return self.complete(super().__call__(texts, length))

    def complete(self, inputs: dict) -> dict:
        """Adds the positions of masks, int32 [N, M], to inputs that lack them."""
        if features.MASKED_LM_POSITIONS in inputs:
            return inputs
        ids = inputs[features.INPUT_IDS]
        is_mask = ids == self.tokenizer.mask_id
        positions = tf.zeros_like(ids) + tf.range(tf.shape(ids)[1])
        return inputs | {features.MASKED_LM_POSITIONS: tf.ragged.boolean_mask(positions, is_mask).to_tensor()}

    def unpad(self, inputs: dict, *learned: Any) -> tuple:
        """As the base class, without the positions, which `pad` computes again."""
        rows = {name: value for name, value in inputs.items() if name != features.MASKED_LM_POSITIONS}
        return super().unpad(rows, *learned)

    def pad(self, rows: dict, *learned: Any) -> Any:
        """As the base class, with the positions of masks."""
        return self.complete(super().pad(rows))
