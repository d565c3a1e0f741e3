"""Fills [MASK] in texts with a pretrained model (Devlin et al. 2019, section 3.1)."""

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.heads import MaskedLMHead
from bert_tf.tasks.base.pretrained_head_task import PretrainedHeadTask
from bert_tf.tasks.fill_mask import SPEC
from bert_tf.tasks.fill_mask.postprocessor import FillMaskPostprocessor
from bert_tf.tasks.fill_mask.preprocessor import FillMaskPreprocessor

# N texts, S sequence, M masks, K tokens


class FillMask(PretrainedHeadTask):
    """The masked LM head of a pretrained model: [MASK] in texts to the tokens that most likely stood there.

    Takes the encoder's inputs and `masked_lm_positions` [N, M]; returns float32 logits [N, M, V]. It is opened from
    the folder of any pretrained model with that head.

    Args:
        tokenizer: a `Tokenizer` with `special_tokens` on.
        max_length: most tokens of a row; None: all positions of the encoder.
        top_k: how many tokens are answered for a mask, K.
        encoder: the family's name, and the fields of its config.
    """

    SPEC = SPEC
    INPUTS = (*features.ENCODER_INPUTS, features.MASKED_LM_POSITIONS)
    head_settings = ("masked_lm_activation", "masked_lm_epsilon")

    def __init__(
        self, tokenizer, max_length=None, top_k=5, masked_lm_activation=None, masked_lm_epsilon=None, **encoder
    ):
        super().__init__(tokenizer, max_length, **encoder)
        if not 0 < top_k <= self.config.vocab_size:
            raise ConfigError(f"Received: top_k={top_k}. It must be in 1 to {self.config.vocab_size}, the vocabulary.")
        if tokenizer.mask_id is None:
            raise InputError(f"The vocabulary has no {tokenizer.SPECIAL_TOKENS.mask}: there is nothing to fill.")
        self.top_k = top_k
        self.masked_lm_activation, self.masked_lm_epsilon = masked_lm_activation, masked_lm_epsilon
        self.preprocessor = FillMaskPreprocessor(SPEC, tokenizer, self.max_length)
        self.postprocessor = FillMaskPostprocessor(tokenizer, self.max_length, top_k)
        self.leave_pooler()
        self.masked_lm = MaskedLMHead(
            self.config.hidden_size,
            self.config.vocab_size,
            masked_lm_activation or self.config.activation,
            masked_lm_epsilon or self.config.layer_norm_epsilon,
            self.config.initializer_range,
            dtype=self.dtype_policy,
            name="masked_lm",
        )
        self.build()

    def build(self, input_shape=None):
        self.masked_lm.build()

    def call(self, inputs, training=None):
        outputs = self.encoder(inputs, training=training, positions=inputs[features.MASKED_LM_POSITIONS])
        return self.masked_lm(outputs[features.SEQUENCE_OUTPUT], self.encoder.embeddings.token.embeddings)

    def task_settings(self):
        return super().task_settings() | {"top_k": self.top_k}
