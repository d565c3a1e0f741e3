"""The recurrent baseline that BERT has to beat: never pretrained, one layer of attention on LSTMs."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.base import Encoder, EncoderConfig, EncoderFamily
from bert_tf.modeling.layers.attention_mask import attention_bias
from bert_tf.modeling.layers.dense import Embedding
from bert_tf.modeling.layers.id_checks import check_ids
from bert_tf.modeling.layers.pooling import pool
from bert_tf.modeling.layers.transformer_block import SelfAttention
from bert_tf.weights.formats.base import FamilyFormat
from bert_tf.weights.weight_table import Row, expand, keras_dense, unnumber_first

# B batch, S sequence, D hidden

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class BiLSTMConfig(EncoderConfig):
    """Sizes and numerics of the baseline; `max_positions` limits the length of rows, nothing has positions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden_size % 2:
            raise ConfigError(f"Received: hidden_size={self.hidden_size}. Two directions share it: it must be even.")


@keras.saving.register_keras_serializable("bert_tf")
class BiLSTMEncoder(Encoder):
    """Embedding, `num_layers` bidirectional LSTMs, self-attention, and the mean over all real tokens.

    Inputs and outputs are those of `Encoder`; segments are not read, and `cls_only` saves nothing. Padding changes
    no state and is not attended to. Arguments are the fields of `BiLSTMConfig`.
    """

    family = "bilstm"
    config_class = BiLSTMConfig

    def __init__(self, name: str | None = None, dtype: Any = None, trainable: bool = True, **settings: Any):
        super().__init__(name=name, dtype=dtype, trainable=trainable, **settings)
        config, policy = self.config, self.dtype_policy
        width = config.hidden_size
        self.token = Embedding(config.vocab_size, width, dtype=policy, name="token")
        lstms = []
        for i in range(config.num_layers):
            # Each direction has half of the width, so that both together have all of it.
            lstm = keras.layers.LSTM(width // 2, return_sequences=True, dtype=policy, name="lstm")
            lstms.append(keras.layers.Bidirectional(lstm, dtype=policy, name=f"lstm_{i}"))
        self.lstms = lstms
        # Initial weights as large as the layer needs: no pretraining will scale up BERT's small ones.
        self.attention = SelfAttention(
            config.num_heads, width, config.attention_dropout, width**-0.5, dtype=policy, name="attention"
        )
        self.dropout = keras.layers.Dropout(config.hidden_dropout, dtype=policy)
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        self.token.build()
        for lstm in self.lstms:
            lstm.build((None, None, self.config.hidden_size))
        self.attention.build()

    @property
    def token_embedding(self) -> keras.layers.Layer:
        """As `Encoder.token_embedding`."""
        return self.token

    @property
    def stages(self) -> list[keras.layers.Layer]:
        """The token embedding, then the LSTMs from bottom to top."""
        return [self.token, *self.lstms]

    def call(self, inputs: Mapping[str, Any], training: bool | None = None, cls_only: bool = False) -> dict[str, Any]:
        """{"sequence_output": [B, S, D], "pooled_output": [B, D]} of inputs int [B, S]; see `Encoder`."""
        ids, mask = inputs[features.INPUT_IDS], inputs[features.INPUT_MASK]  # [B, S]
        check_ids("input_ids", ids, self.config.vocab_size)
        x = self.dropout(self.token(ids), training=training)  # [B, S, D]
        real = ops.expand_dims(ops.cast(mask, x.dtype), -1)  # [B, S, 1]
        for lstm in self.lstms:
            x = lstm(x, mask=ops.cast(mask, "bool"), training=training)  # [B, S, D]
            x = self.dropout(x * real, training=training)  # [B, S, D]
        x, _ = self.attention(x, attention_bias(inputs), training=training)  # [B, S, D]
        return {features.SEQUENCE_OUTPUT: x, features.POOLED_OUTPUT: pool(x, mask, "mean")}


# ---- Weights


def _rows(config: BiLSTMConfig) -> list[Row]:
    """Paths in a Keras weights file; see the same function in bert.py."""
    rows = [Row("encoder/token/embeddings", "encoder/layers/embedding/vars/0")]
    for side in ("forward", "backward"):
        for number, name in enumerate(("kernel", "recurrent_kernel", "bias")):
            ours = f"encoder/lstm_{{i}}/{side}_lstm/lstm_cell/{name}"
            rows.append(Row(ours, f"encoder/layers/bidirectional_{{i}}/{side}_layer/cell/vars/{number}"))
    for name in ("query", "key", "value"):
        rows += keras_dense(f"encoder/attention/{name}", f"encoder/attention/{name}")
    rows += keras_dense("encoder/attention/output", "encoder/attention/output_dense")
    return unnumber_first(expand(rows, config.num_layers), "bidirectional")


FAMILY = EncoderFamily(
    name="bilstm",
    title="BiLSTM",
    config=BiLSTMConfig,
    encoder=BiLSTMEncoder,
    tokenizer_place="bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer",
    formats={
        "bert_tf": FamilyFormat(
            rows=_rows,
            # Version 0.1 wrote these settings of BERT into the folders of all families.
            ignored_fields=("intermediate_size", "type_vocab_size", "activation", "layer_norm_epsilon"),
        )
    },
    presets={"baseline": {"num_layers": 1, "hidden_size": 128, "num_heads": 4}},
)
