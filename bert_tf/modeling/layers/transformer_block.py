"""A transformer block: self-attention, then a feed-forward network, each with layer norm after its residual."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.residual_norm import ResidualNorm
from bert_tf.modeling.ops.fused_ops import attend, attention_probs

# B batch, S sequence, Q queries, N heads, H head size, D hidden = N * H, F intermediate


@keras.saving.register_keras_serializable("bert_tf")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2): [B, S, D] to ([B, S, D], [B, N, S, S]).

    With `queries` [B, Q, D] only these vectors attend, to all of x: ([B, Q, D], [B, N, Q, S]).
    """

    def __init__(self, num_heads: int, hidden_size: int, dropout: float, initializer_range: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden_size = hidden_size

        def projection(name):
            return dense(hidden_size, initializer_range, dtype=self.dtype_policy, name=name)

        # Separate projections: the gradient of slicing a fused one is a scatter that costs more than it saves.
        self.query = projection("query")
        self.key = projection("key")
        self.value = projection("value")
        self.output_dense = projection("output")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for layer in (self.query, self.key, self.value, self.output_dense):
            layer.build((None, None, self.hidden_size))

    def call(self, x: Any, bias: Any, training: bool | None = None, queries: Any = None) -> tuple[Any, Any]:
        """`bias` [B, 1, 1 or Q, S] is added to the scores: 0 = attend, very negative = do not."""
        if queries is None:
            queries = x
        query = self._split_heads(self.query(queries))  # [B, N, Q, H]
        key, value = self._split_heads(self.key(x)), self._split_heads(self.value(x))  # [B, N, S, H]
        probs = attention_probs(query, key, bias)  # [B, N, Q, S]
        if training:
            # Here `probs` is for the caller alone: a compiled step does not compute it where nobody reads it.
            seed, dropped, scale = self.dropout.mask_args()
            context = attend(query, key, value, bias, seed, dropped, scale)  # [B, N, Q, H]
        else:
            context = ops.matmul(probs, value)  # [B, N, Q, H]
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), ops.shape(queries))  # [B, Q, D]
        return self.output_dense(context), probs

    def _split_heads(self, x):
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (batch, length, self.num_heads, self.hidden_size // self.num_heads))  # [B, S, N, H]
        return ops.transpose(x, (0, 2, 1, 3))  # [B, N, S, H]


@keras.saving.register_keras_serializable("bert_tf")
class TransformerBlock(keras.layers.Layer):
    """Post-layer-norm block: [B, S, D] and the attention bias to ([B, S, D], attention probabilities [B, N, S, S]).

    With `queries` [B, Q, D], vectors of x, only their outputs are computed: ([B, Q, D], [B, N, Q, S]).
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
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.attention = SelfAttention(
            num_heads, hidden_size, attention_dropout, initializer_range, dtype=policy, name="attention"
        )
        self.intermediate = dense(intermediate_size, initializer_range, dtype=policy, name="intermediate")
        self.activation = get_activation(activation)
        self.training_activation = get_activation(activation, training=True)
        self.output_dense = dense(hidden_size, initializer_range, dtype=policy, name="output")

        def norm(name):
            return ResidualNorm(epsilon=layer_norm_epsilon, dtype=policy, name=name)

        self.attention_norm = norm("attention_norm")
        self.output_norm = norm("output_norm")
        self.dropout = Dropout(hidden_dropout, dtype=policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        hidden = (None, None, self.hidden_size)
        for layer in (self.attention, self.attention_norm, self.intermediate, self.output_norm):
            layer.build(hidden)
        self.output_dense.build((None, None, self.intermediate_size))

    def call(self, x: Any, mask: Any, training: bool | None = None, queries: Any = None) -> tuple[Any, Any]:
        """`mask` is the attention bias [B, 1, 1 or Q, S], see `SelfAttention.call`."""
        context, probs = self.attention(x, mask, training=training, queries=queries)
        residual = x if queries is None else queries  # [B, Q, D]
        x = self.attention_norm(context, residual, dropout=self.dropout, training=training)  # [B, Q, D]
        activation = self.training_activation if training else self.activation
        hidden = activation(self.intermediate(x))  # [B, Q, F]
        hidden = self.output_dense(hidden)  # [B, Q, D]
        return self.output_norm(hidden, x, dropout=self.dropout, training=training), probs

    def call_rematerialized(self, x: Any, mask: Any, queries: Any = None) -> Any:
        """Gradient checkpointing of `call` in training: only the output [B, Q, D], whose intermediates are not kept.

        Seeds are drawn first, so that the recomputation for the gradient applies the same dropout masks.
        """
        attention_seeds, block_seeds = self.attention.dropout.make_seeds(1), self.dropout.make_seeds(2)

        def compute(x, mask, queries=None):
            with self.attention.dropout.fixed_seeds(attention_seeds), self.dropout.fixed_seeds(block_seeds):
                return self(x, mask, training=True, queries=queries)[0]

        tensors = [x, mask]
        if queries is not None:  # remat differentiates by its arguments: tensors, and no None
            tensors.append(queries)
        return keras.remat(compute)(*tensors)
