"""A transformer block with the norm before each part, rotary positions and a gated feed-forward network."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.local_window import join_chunks, split_chunks, split_neighbours
from bert_tf.modeling.layers.rotary import rotate
from bert_tf.modeling.layers.transformer_block import SelfAttention, rematerialize

# B batch, S sequence, Q queries, N heads, H head size, D hidden, F intermediate

# Keys of an attention context: the bias of scores of whole sequences [B, 1, 1 or Q, S], or that of chunks
# [B * C, 1, W, 3 W]; the cosine and sine of the positions of keys and of queries, [S, H / 2] or [B, 1, S, H / 2] each.
BIAS, CHUNK_BIAS = "bias", "chunk_bias"
KEY_ROTATION, QUERY_ROTATION = "key_rotation", "query_rotation"
SEES = "sees"  # float [B, 1, Q, 1], optional: 0 for queries that see no token, which then weigh all tokens equally


def norm_without_bias(epsilon: float, dtype: Any, name: str) -> keras.layers.LayerNormalization:
    """A layer norm that only scales: [..., D] to [..., D]."""
    return keras.layers.LayerNormalization(epsilon=epsilon, center=False, dtype=dtype, name=name)


@keras.saving.register_keras_serializable("bert_tf")
class RotarySelfAttention(SelfAttention):
    """Self-attention with rotary positions; in chunks of width `chunk` (see local_window.py) if the context is theirs.

    Called with a context, a dict of the keys above.
    """

    def __init__(self, chunk: int | None = None, **kwargs: Any):
        super().__init__(use_bias=False, **kwargs)
        self.chunk = chunk

    def call(
        self, x: Any, context: Mapping[str, Any], training: bool | None = None, queries: Any = None
    ) -> tuple[Any, Any]:
        """[B, S, D] to ([B, Q, D], attention probabilities [B, N, Q, S], or those of the chunks)."""
        query, key, value = self.queries_keys_and_values(x, queries)
        query, key = rotate(query, *context[QUERY_ROTATION]), rotate(key, *context[KEY_ROTATION])
        if SEES in context:
            query = query * context[SEES]
        if CHUNK_BIAS not in context:
            y, probs = self.attend(query, key, value, context[BIAS], training)
        else:
            queries, width = split_chunks(query, self.chunk), self.chunk
            key, value = split_neighbours(key, width), split_neighbours(value, width)
            y, probs = self.attend(queries, key, value, context[CHUNK_BIAS], training)
            y = join_chunks(y, ops.shape(x)[0], ops.shape(x)[1])
        return self.output(y), probs


@keras.saving.register_keras_serializable("bert_tf")
class PreNormBlock(keras.layers.Layer):
    """x + attention(norm(x)), then x + feed-forward(norm(x)); nothing has a bias (Warner et al. 2024, section 2.1.1).

    The feed-forward network is act(x A) * (x B) C (Shazeer 2020). Called as `TransformerBlock`, with the context of
    `RotarySelfAttention`.

    Args:
        normalizes_first: whether there is a norm before the attention; the first block follows that of the embeddings.
        chunk: as in `RotarySelfAttention`.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_size: int,
        intermediate_size: int,
        activation: str,
        layer_norm_epsilon: float,
        hidden_dropout: float,
        attention_dropout: float,
        initializer_range: float,
        head_size: int | None = None,
        normalizes_first: bool = True,
        chunk: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.attention = RotarySelfAttention(
            chunk=chunk,
            num_heads=num_heads,
            hidden_size=hidden_size,
            dropout=attention_dropout,
            initializer_range=initializer_range,
            head_size=head_size,
            dtype=policy,
            name="attention",
        )

        def projection(size, name):
            return dense(size, initializer_range, use_bias=False, dtype=policy, name=name)

        self.attention_norm = None
        if normalizes_first:
            self.attention_norm = norm_without_bias(layer_norm_epsilon, policy, "attention_norm")
        self.attention_dropout = Dropout(attention_dropout, dtype=policy)
        self.output_norm = norm_without_bias(layer_norm_epsilon, policy, "output_norm")
        self.intermediate = projection(intermediate_size, "intermediate")
        self.gate = projection(intermediate_size, "gate")
        self.activation = get_activation(activation)
        self.training_activation = get_activation(activation, training=True)
        self.dropout = Dropout(hidden_dropout, dtype=policy)
        self.output_dense = projection(hidden_size, "output")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        hidden = (None, None, self.hidden_size)
        for layer in (self.attention, self.attention_norm, self.output_norm, self.intermediate, self.gate):
            if layer:
                layer.build(hidden)
        self.output_dense.build((None, None, self.intermediate_size))

    def call(
        self, x: Any, context: Mapping[str, Any], training: bool | None = None, queries: Any = None
    ) -> tuple[Any, Any]:
        """The block's output [B, Q, D], and its attention probabilities."""
        residual = x if queries is None else queries  # [B, Q, D]
        normed, normed_queries = x, queries
        if self.attention_norm:
            normed = self.attention_norm(x)
            normed_queries = None if queries is None else self.attention_norm(queries)
        y, probs = self.attention(normed, context, training=training, queries=normed_queries)
        x = residual + self.attention_dropout(y, training=training)  # [B, Q, D]
        normed = ops.reshape(self.output_norm(x), (-1, self.hidden_size))  # [B * Q, D]
        activation = self.training_activation if training else self.activation
        hidden = activation(self.intermediate(normed)) * self.gate(normed)  # [B * Q, F]
        hidden = self.output_dense(self.dropout(hidden, training=training))
        return x + ops.reshape(hidden, ops.shape(x)), probs

    def attention_vectors(self, x: Any) -> tuple[Any, Any, Any]:
        """As `TransformerBlock.attention_vectors`; queries and keys are not rotated by their positions."""
        return self.attention.projections(self.attention_norm(x) if self.attention_norm else x)

    def call_rematerialized(self, x: Any, context: Mapping[str, Any], queries: Any = None) -> Any:
        """Gradient checkpointing of `call` in training: only the output [B, Q, D] (see `rematerialize`)."""
        dropouts = [(self.attention.dropout, 1), (self.attention_dropout, 1), (self.dropout, 1)]
        return rematerialize(self, dropouts, x, context, queries)
