"""Fills [MASK] in texts with a pretrained model (Devlin et al. 2019, section 3.1)."""

import tensorflow as tf

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.layers.heads import MaskedLMHead
from bert_tf.tasks.base.pretrained_head_task import PretrainedHeadTask

# N texts, S sequence, M masks, K pieces


class FillMask(PretrainedHeadTask):
    """The masked LM head of a pretrained model: [MASK] in texts to the pieces that most likely stood there.

    Takes the encoder's inputs and `masked_lm_positions` [N, M]; returns float32 logits [N, M, V]. It is opened from
    the folder of any pretrained model with that head.

    Args:
        tokenizer: a `Tokenizer` with `special_tokens` on.
        max_length: pieces a row at most; None: all positions of the encoder.
        top_k: how many pieces are answered for a mask, K.
        encoder: the family's name, and the fields of its config.
    """

    TASK = "fill_mask"
    INPUTS = (*features.ENCODER_INPUTS, features.MASKED_LM_POSITIONS)
    HEAD = "masked_lm"
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

    def preprocess(self, texts, length=None):
        """Texts to inputs with the places of their masks: `masked_lm_positions` int32 [N, M], 0 beyond the last."""
        inputs = super().preprocess(texts, length)
        return inputs | {features.MASKED_LM_POSITIONS: self._masks(inputs).to_tensor()}

    def _masks(self, inputs):
        is_mask = inputs[features.INPUT_IDS] == self.tokenizer.mask_id
        return tf.ragged.boolean_mask(
            tf.zeros_like(inputs[features.INPUT_IDS]) + tf.range(tf.shape(is_mask)[1]), is_mask
        )

    def predict_inputs(self, inputs):
        """As `Task`'s; the masks are found in rows of pieces alone."""
        return super().predict_inputs({features.MASKED_LM_POSITIONS: self._masks(inputs).to_tensor()} | inputs)

    def postprocess(self, outputs, inputs):
        """{"pieces", "scores"} in the graph, [N, M, K]: strings and probabilities, the best first.

        "" and 0 stand beyond the last mask of a text.
        """
        best = tf.math.top_k(tf.nn.softmax(outputs), self.top_k)
        real = (inputs[features.MASKED_LM_POSITIONS] > 0)[..., tf.newaxis]  # [CLS] stands at 0
        return {
            "pieces": tf.where(real, tf.gather(self.tokenizer.vocabulary, best.indices), ""),
            "scores": tf.where(real, best.values, 0.0),
        }

    def predict_text(self, texts, batch_size=32):
        """A dict a text: {"pieces": [K strings a mask], "scores": [K probabilities a mask]}.

        A text without a [MASK] within `max_length` raises `InputError` with its row.
        """
        answers = super().predict_text(texts, batch_size)
        for row, answer in enumerate(answers):
            if not answer["pieces"]:
                where = f"its first {self.max_length} pieces"
                raise InputError(
                    f"Row {row}: {texts[row][:80]!r} has no {self.tokenizer.SPECIAL_TOKENS.mask} to fill in {where}."
                )
        return answers

    def to_python(self, answer):
        answer = super().to_python(answer)
        masks = sum(pieces[0] != "" for pieces in answer["pieces"])
        return {name: rows[:masks] for name, rows in answer.items()}

    def task_settings(self):
        return super().task_settings() | {"top_k": self.top_k}
