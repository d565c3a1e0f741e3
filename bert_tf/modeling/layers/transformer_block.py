"""One transformer block of BERT: self-attention, then a feed-forward network, each normalised after its residual."""

import keras
from keras import ops

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.residual_norm import ResidualNorm
from bert_tf.modeling.ops.fused_ops import attend, attention_probs

# B batch, S sequence, Q queries, N heads, H head size, D hidden = N * H, F intermediate


class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2): [B, S, D] to ([B, S, D], [B, N, S, S]).

    With `queries` [B, Q, D], the positions of x that are to look, the others are only looked at: ([B, Q, D],
    [B, N, Q, S]).
    """

    def __init__(self, num_heads, hidden_size, dropout, initializer_range, **kwargs):
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

    def build(self, input_shape=None):
        for layer in (self.query, self.key, self.value, self.output_dense):
            layer.build((None, None, self.hidden_size))

    def call(self, x, mask, training=None, queries=None):
        """`mask` [B, 1, 1 or Q, S] is added to the scores: 0 = look, very negative = do not."""
        queries = x if queries is None else queries
        query = self._split_heads(self.query(queries))  # [B, N, Q, H]
        key, value = self._split_heads(self.key(x)), self._split_heads(self.value(x))  # [B, N, S, H]
        probs = attention_probs(query, key, mask)
        context = attend(query, key, value, mask, *self.dropout.dropping()) if training else ops.matmul(probs, value)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), ops.shape(queries))  # [B, Q, D]
        return self.output_dense(context), probs

    def _split_heads(self, x):
        batch, length = ops.shape(x)[0], ops.shape(x)[1]
        x = ops.reshape(x, (batch, length, self.num_heads, self.hidden_size // self.num_heads))
        return ops.transpose(x, (0, 2, 1, 3))


class TransformerBlock(keras.layers.Layer):
    """Post-layer-norm block: ([B, S, D], mask) to ([B, S, D], attention probabilities [B, N, S, S]).

    With `queries` [B, Q, D], positions of x whose output alone is wanted: ([B, Q, D], [B, N, Q, S]).
    """

    def __init__(
        self,
        num_heads,
        hidden_size,
        intermediate_size,
        activation,
        layer_norm_epsilon,
        hidden_dropout,
        attention_dropout,
        initializer_range,
        **kwargs,
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

    def build(self, input_shape=None):
        hidden = (None, None, self.hidden_size)
        for layer in (self.attention, self.attention_norm, self.intermediate, self.output_norm):
            layer.build(hidden)
        self.output_dense.build((None, None, self.intermediate_size))

    def call(self, x, mask, training=None, queries=None):
        context, probs = self.attention(x, mask, training=training, queries=queries)
        residual = x if queries is None else queries
        x = self.attention_norm(context, residual, dropout=self.dropout, training=training)  # [B, Q, D]
        activation = self.training_activation if training else self.activation
        hidden = activation(self.intermediate(x))  # [B, Q, F]
        hidden = self.output_dense(hidden)  # [B, Q, D]
        return self.output_norm(hidden, x, dropout=self.dropout, training=training), probs

    def call_rematerialized(self, x, mask, queries=None):
        """What `call` gives in training, [B, Q, D] alone; its inside is not kept but computed again for the gradient.

        The random bits are settled before, or the second time they would be others.
        """
        of_attention, of_block = self.attention.dropout.draw(1), self.dropout.draw(2)

        def inside(x, mask, queries=None):
            with self.attention.dropout.drawn(of_attention), self.dropout.drawn(of_block):
                return self(x, mask, training=True, queries=queries)[0]

        return keras.remat(inside)(x, mask, *(() if queries is None else (queries,)))
