"""The baseline that BERT has to beat: an encoder of recurrent layers with one layer of attention, never pretrained."""

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.config import EncoderConfig
from bert_tf.modeling.families.bert import attention_bias
from bert_tf.modeling.layers.id_checks import check_ids
from bert_tf.modeling.layers.pooling import pool
from bert_tf.modeling.layers.transformer_block import SelfAttention
from bert_tf.modeling.pretrained import Pretrained

# B batch, S sequence, D hidden


class BiLSTMEncoder(Pretrained, keras.Model):
    """Embedding, `num_layers` bidirectional LSTMs, self-attention, and the mean over all real pieces.

    Called as `BertEncoder` with int [B, S] `input_ids` and `input_mask`, and returns the same outputs:
    {"sequence_output": [B, S, D], "pooled_output": [B, D]}, with `cls_only` too, which saves nothing here. Padding
    leads no state on and is not attended to. Of the fields of `EncoderConfig` it uses vocab_size, hidden_size,
    num_layers, num_heads and the dropouts.
    """

    def __init__(self, name="encoder", dtype=None, trainable=True, **settings):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.config = config = EncoderConfig(**settings)
        policy = self.dtype_policy
        width = config.hidden_size
        self.token = keras.layers.Embedding(config.vocab_size, width, dtype=policy, name="token")
        self.lstms = [
            keras.layers.Bidirectional(
                keras.layers.LSTM(width // 2, return_sequences=True, dtype=policy, name="lstm"),
                dtype=policy,
                name=f"lstm_{i}",
            )
            for i in range(config.num_layers)
        ]
        # Weights as wide as its layer asks for, because no pretraining will widen BERT's small ones.
        self.attention = SelfAttention(
            config.num_heads, width, config.attention_dropout, width**-0.5, dtype=policy, name="attention"
        )
        self.dropout = keras.layers.Dropout(config.hidden_dropout, dtype=policy)
        self.build()

    def build(self, input_shape=None):
        self.token.build()
        for lstm in self.lstms:
            lstm.build((None, None, self.config.hidden_size))
        self.attention.build()

    def call(self, inputs, training=None, cls_only=False):
        ids, mask = inputs[features.INPUT_IDS], inputs[features.INPUT_MASK]
        check_ids("input_ids", ids, self.config.vocab_size)
        x = self.dropout(self.token(ids), training=training)  # [B, S, D]
        real = ops.expand_dims(ops.cast(mask, x.dtype), -1)  # [B, S, 1]
        for lstm in self.lstms:
            x = lstm(x, mask=ops.cast(mask, "bool"), training=training)
            x = self.dropout(x * real, training=training)
        x, _ = self.attention(x, attention_bias(inputs), training=training)  # [B, S, D]
        return {features.SEQUENCE_OUTPUT: x, features.POOLED_OUTPUT: pool(x, mask, "mean")}
