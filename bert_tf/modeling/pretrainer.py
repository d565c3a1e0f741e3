"""BERT with its two pretraining heads."""

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.families.bert import BertEncoder
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.heads import MaskedLMHead
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.ops.cross_entropy import SparseCrossEntropy, accuracy
from bert_tf.modeling.pretrained import Pretrained
from bert_tf.modeling.train_step import global_mean

# B batch, S sequence, P predictions, D hidden, V vocabulary


class BertPretrainer(Pretrained, keras.Model):
    """Masked LM and next sentence prediction (Devlin et al. 2019, section 3.1).

    Takes the encoder's inputs and `masked_lm_positions` [B, P]; returns the encoder's outputs (in training
    "sequence_output" is of these positions alone), "masked_lm_logits" [B, P, V] and "next_sentence_logits" [B, 2]
    (0 = really next), logits in float32. With `cls_positions` [B, E] the latter are [B, E, 2]. The masked LM head's
    activation and epsilon are the encoder's unless given: some projects' heads have others.
    """

    head_settings = ("masked_lm_activation", "masked_lm_epsilon")

    def __init__(
        self,
        name="pretrainer",
        dtype=None,
        trainable=True,
        masked_lm_activation=None,
        masked_lm_epsilon=None,
        **settings,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.masked_lm_activation = masked_lm_activation
        self.masked_lm_epsilon = masked_lm_epsilon
        self.encoder = BertEncoder(dtype=self.dtype_policy, **settings)
        self.config = config = self.encoder.config
        self.masked_lm = MaskedLMHead(
            config.hidden_size,
            config.vocab_size,
            masked_lm_activation or config.activation,
            masked_lm_epsilon or config.layer_norm_epsilon,
            config.initializer_range,
            dtype=self.dtype_policy,
            name="masked_lm",
        )
        self.next_sentence = dense(2, config.initializer_range, dtype=self.dtype_policy, name="next_sentence")
        self.build()

    def build(self, input_shape=None):
        self.masked_lm.build()
        self.next_sentence.build((None, self.config.hidden_size))

    def get_config(self):
        return super().get_config() | {name: getattr(self, name) for name in self.head_settings}

    def call(self, inputs, training=None, all_outputs=False):
        positions = inputs[features.MASKED_LM_POSITIONS]
        in_part = training and not all_outputs
        outputs = self.encoder(
            inputs, training=training, all_outputs=all_outputs, positions=positions if in_part else None
        )
        sequence = outputs[features.SEQUENCE_OUTPUT]
        x = sequence if in_part else gather_positions(sequence, positions)  # [B, P, D]
        outputs[features.MASKED_LM_LOGITS] = self.masked_lm(x, self.encoder.embeddings.token.embeddings)
        next_sentence = self.next_sentence(outputs[features.POOLED_OUTPUT])
        outputs[features.NEXT_SENTENCE_LOGITS] = ops.cast(next_sentence, "float32")
        return outputs

    def compile(self, optimizer, loss=None, weighted_metrics=None, next_sentence=True, **kwargs):
        """As Keras's, with both losses averaged over real predictions and both accuracies as defaults.

        `next_sentence=False` is for batches that have targets of the masked LM alone, as of the objective "none".
        """
        outputs = (features.MASKED_LM_LOGITS, features.NEXT_SENTENCE_LOGITS)[: 1 + next_sentence]
        super().compile(
            optimizer,
            loss=loss or {name: global_mean(SparseCrossEntropy()) for name in outputs},
            weighted_metrics=weighted_metrics or {name: [_accuracy()] for name in outputs},
            **kwargs,
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        # Keras looks for a target for every output; the encoder's outputs have none.
        return super().compute_metrics(x, y, {name: y_pred[name] for name in y}, sample_weight)


def _accuracy():
    return keras.metrics.MeanMetricWrapper(accuracy, name="accuracy")
