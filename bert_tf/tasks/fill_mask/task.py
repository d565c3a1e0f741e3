"""Fills [MASK] in texts with a pretrained model (Devlin et al. 2019, section 3.1)."""

from typing import Any

import keras

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.heads import masked_lm_head
from bert_tf.tasks.base.pretrained_head_task import PretrainedHeadTask
from bert_tf.tasks.fill_mask import SPEC
from bert_tf.tasks.fill_mask.postprocessor import FillMaskPostprocessor
from bert_tf.tasks.fill_mask.preprocessor import FillMaskPreprocessor

# N texts, S sequence, M masks, K tokens


@keras.saving.register_keras_serializable("bert_tf")
class FillMask(PretrainedHeadTask):
    """The masked LM head of a pretrained model: each [MASK] in a text to its most likely tokens.

    Takes the encoder's inputs and `masked_lm_positions`, int32 [N, M]; returns float32 logits [N, M, V]. It opens the
    folder of any pretrained model with that head.

    Args:
        tokenizer: a `Tokenizer` with `special_tokens` on.
        max_length: most tokens of a row; None: all positions of the encoder.
        top_k: number of tokens in the answer for a mask, K.
        masked_lm_activation: of the head; None: the encoder's.
        masked_lm_epsilon: of the head's layer norm; None: the encoder's.
        encoder: the family's name, and the fields of its config.

    Raises:
        ConfigError: `top_k` is below 1 or above the size of the vocabulary.
        InputError: the vocabulary has no mask token.
    """

    SPEC = SPEC
    INPUTS = (*features.ENCODER_INPUTS, features.MASKED_LM_POSITIONS)
    head_settings = ("masked_lm_activation", "masked_lm_epsilon")

    def __init__(
        self,
        tokenizer: Any,
        max_length: int | None = None,
        top_k: int = 5,
        masked_lm_activation: str | None = None,
        masked_lm_epsilon: float | None = None,
        **encoder: Any,
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if not 0 < top_k <= tokenizer.vocab_size:
            raise ConfigError(f"Received: top_k={top_k}. It must be in 1 to {tokenizer.vocab_size}, the vocabulary.")
        if tokenizer.mask_id is None:
            raise InputError(f"The vocabulary has no {tokenizer.SPECIAL_TOKENS.mask}: there is nothing to fill.")
        self.top_k = top_k
        self.masked_lm_activation, self.masked_lm_epsilon = masked_lm_activation, masked_lm_epsilon
        self.preprocessor = FillMaskPreprocessor(SPEC, tokenizer, self.max_length)
        self.postprocessor = FillMaskPostprocessor(tokenizer, self.max_length, top_k)
        self.leave_pooler()
        self.masked_lm = masked_lm_head(self.encoder, masked_lm_activation, masked_lm_epsilon)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Creates the weights of the head."""
        self.masked_lm.build()

    def call(self, inputs: dict, training: bool | None = None) -> Any:
        """The encoder's inputs, int32 [N, S], and positions, int32 [N, M], to logits, float32 [N, M, V]."""
        outputs = self.encoder(inputs, training=training, positions=inputs[features.MASKED_LM_POSITIONS])
        vectors = self.encoder.head_vectors(outputs[features.SEQUENCE_OUTPUT])  # [N, M, D]
        return self.masked_lm(vectors, self.encoder.embeddings.token.embeddings)

    def task_settings(self) -> dict:
        """As `Task.task_settings`, with `top_k`."""
        return super().task_settings() | {"top_k": self.top_k}
