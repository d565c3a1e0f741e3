"""Attention from a target to its source, with layer norm after the residual (Vaswani et al. 2017, section 3.2.3)."""

from typing import Any

import keras

from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.residual_norm import ResidualNorm
from bert_tf.modeling.layers.transformer_block import SelfAttention

# B batch, S source, T target, N heads, H head size, D hidden


@keras.saving.register_keras_serializable("bert_tf")
class CrossAttention(keras.layers.Layer):
    """Vectors of a target [B, T, D], with what they attended to in the vectors of a source [B, S, D]: [B, T, D]."""

    def __init__(
        self,
        num_heads: int,
        hidden_size: int,
        layer_norm_epsilon: float,
        hidden_dropout: float,
        attention_dropout: float,
        initializer_range: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.hidden_size = hidden_size
        self.attention = SelfAttention(
            num_heads, hidden_size, attention_dropout, initializer_range, dtype=policy, name="attention"
        )
        self.attention_norm = ResidualNorm(epsilon=layer_norm_epsilon, dtype=policy, name="attention_norm")
        self.dropout = Dropout(hidden_dropout, dtype=policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for layer in (self.attention, self.attention_norm):
            layer.build((None, None, self.hidden_size))

    def call(self, x: Any, source: Any, bias: Any, training: bool | None = None) -> Any:
        """`x` [B, T, D], `source` [B, S, D] and `bias` [B, 1, 1 or T, S] of the scores, to [B, T, D]."""
        context, _ = self.attention(source, bias, training=training, queries=x)
        return self.attention_norm(context, x, dropout=self.dropout, training=training)

    def step(self, x: Any, memory: tuple[Any, Any], bias: Any) -> Any:
        """As `call` at inference, from the keys and values of the source, [B, N, S, H] each."""
        return self.attention_norm(self.attention.attend_to(x, [memory], bias), x)
