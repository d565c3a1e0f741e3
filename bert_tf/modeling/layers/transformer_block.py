"""A transformer block: self-attention, then a feed-forward network, each with layer norm after its residual."""

import contextlib
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops, tree

from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.dense import Dense, dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.residual_norm import ResidualNorm
from bert_tf.modeling.ops.fused_ops import attend, attention_probs

# B batch, S sequence, Q queries, N heads, H head size, D hidden (N * H, unless heads were pruned), F intermediate


@keras.saving.register_keras_serializable("bert_tf")
class SelfAttention(keras.layers.Layer):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2): [B, S, D] to ([B, S, D], [B, N, S, S]).

    With `queries` [B, Q, D] only these vectors attend, to all of x: ([B, Q, D], [B, N, Q, S]). `head_size` is H; None:
    D / N.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_size: int,
        dropout: float,
        initializer_range: float,
        use_bias: bool = True,
        head_size: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden_size = hidden_size
        self.head_size = head_size or hidden_size // num_heads
        width = num_heads * self.head_size

        def projection(size, name):
            return dense(size, initializer_range, use_bias=use_bias, dtype=self.dtype_policy, name=name)

        # Separate projections: the gradient of slicing a fused one is a scatter that costs more than it saves.
        self.query = projection(width, "query")
        self.key = projection(width, "key")
        self.value = projection(width, "value")
        self.output_dense = projection(hidden_size, "output")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for layer in (self.query, self.key, self.value):
            layer.build((None, None, self.hidden_size))
        self.output_dense.build((None, None, self.num_heads * self.head_size))

    def call(self, x: Any, bias: Any, training: bool | None = None, queries: Any = None) -> tuple[Any, Any]:
        """`bias` [B, 1, 1 or Q, S] is added to the scores: 0 = attend, very negative = do not."""
        query, key, value = self.queries_keys_and_values(x, queries)
        context, probs = self.attend(query, key, value, bias, training)
        return self.output(context), probs

    def projections(self, x: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values of the vectors `x` [B, S, D] with all heads joined: [B, S, N * H] each."""
        return self.query(x), self.key(x), self.value(x)

    def queries_keys_and_values(self, x: Any, queries: Any = None) -> list[Any]:
        """Queries [B, N, Q, H] of `queries`, or of `x`, and keys and values of the vectors `x` [B, S, D]."""
        if queries is None:
            return self.heads(x, self.query, self.key, self.value)
        return [*self.heads(queries, self.query), *self.keys_and_values(x)]

    def keys_and_values(self, x: Any) -> tuple[Any, Any]:
        """Keys and values of the vectors `x` [B, S, D]: [B, N, S, H] each."""
        key, value = self.heads(x, self.key, self.value)
        return key, value

    def attend_to(self, queries: Any, parts: Sequence[tuple[Any, Any]], bias: Any) -> Any:
        """As `call` at inference, with keys and values that are known already: [B, Q, D] to [B, Q, D].

        Args:
            queries: vectors [B, Q, D].
            parts: pairs of keys and values [B, N, S_i, H], which together are of S tokens.
            bias: [B, 1, 1 or Q, S].
        """
        (query,) = self.heads(queries, self.query)  # [B, N, Q, H]
        query = query * query.shape[-1] ** -0.5
        scores = [ops.matmul(query, ops.transpose(keys, (0, 1, 3, 2))) for keys, _ in parts]  # [B, N, Q, S_i] each
        probs = ops.softmax(_join(scores) + ops.cast(bias, query.dtype))  # [B, N, Q, S]
        context, start = 0, 0
        for _, values in parts:
            end = start + ops.shape(values)[2]
            context += ops.matmul(probs[..., start:end] if len(parts) > 1 else probs, values)  # [B, N, Q, H]
            start = end
        return self.output(context)

    def attend(self, query: Any, key: Any, value: Any, bias: Any, training: bool | None = None) -> tuple[Any, Any]:
        """Weighted values [B, N, Q, H] and attention probabilities [B, N, Q, S], with dropout in training."""
        probs = attention_probs(query, key, bias)  # [B, N, Q, S]
        if not training:
            return ops.matmul(probs, value), probs
        # Here `probs` is for the caller alone: a compiled step does not compute it where nobody reads it.
        seed, dropped, scale = self.dropout.mask_args()
        return attend(query, key, value, bias, seed, dropped, scale), probs

    def heads(self, x: Any, *projections: Dense) -> list[Any]:
        """Projections of the vectors `x` [B, S, D], split into heads: [B, N, S, H] each."""
        batch, length, width = ops.shape(x)
        vectors = ops.reshape(x, (-1, width))  # [B * S, D]: each reshape is a few ops of a graph, so they share one
        found = []
        for layer in projections:
            split = ops.reshape(layer(vectors), (batch, length, self.num_heads, self.head_size))  # [B, S, N, H]
            found.append(ops.transpose(split, (0, 2, 1, 3)))
        return found

    def output(self, context: Any) -> Any:
        """The block's vectors [B, Q, D] from the weighted values of its heads [B, N, Q, H]."""
        batch, _, length, _ = ops.shape(context)
        joined = ops.transpose(context, (0, 2, 1, 3))  # [B, Q, N, H]
        vectors = ops.reshape(joined, (-1, self.num_heads * self.head_size))  # [B * Q, N * H]
        return ops.reshape(self.output_dense(vectors), (batch, length, self.hidden_size))


def _join(parts):
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, -1)


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
        head_size: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.attention = SelfAttention(
            num_heads,
            hidden_size,
            attention_dropout,
            initializer_range,
            head_size=head_size,
            dtype=policy,
            name="attention",
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
        return self.feed_forward(self.add_context(context, residual, training), training), probs

    def attention_vectors(self, x: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values of the block's input [B, S, D]: [B, S, N * H] each, heads joined."""
        return self.attention.projections(x)

    def add_context(self, context: Any, x: Any, training: bool | None = None) -> Any:
        """The first half of the block: the norm of the vectors `x` and what they attended to, [B, Q, D] each."""
        return self.attention_norm(context, x, dropout=self.dropout, training=training)

    def feed_forward(self, x: Any, training: bool | None = None) -> Any:
        """The second half of the block: [B, Q, D] to [B, Q, D]."""
        activation = self.training_activation if training else self.activation
        hidden = activation(self.intermediate(ops.reshape(x, (-1, self.hidden_size))))  # [B * Q, F]
        hidden = ops.reshape(self.output_dense(hidden), ops.shape(x))  # [B, Q, D]
        return self.output_norm(hidden, x, dropout=self.dropout, training=training)

    def call_rematerialized(self, x: Any, mask: Any, queries: Any = None) -> Any:
        """Gradient checkpointing of `call` in training: only the output [B, Q, D] (see `rematerialize`)."""
        return rematerialize(self, [(self.attention.dropout, 1), (self.dropout, 2)], x, mask, queries)


def rematerialize(block: Any, dropouts: Sequence[tuple[Dropout, int]], x: Any, context: Any, queries: Any) -> Any:
    """Gradient checkpointing of a block in training: its output [B, Q, D], whose intermediates are not kept.

    Args:
        block: called with `x`, `context` and `queries`; returns the output first.
        dropouts: its dropout layers, each with the number of times that a call applies it. Their seeds are drawn first,
            so that the recomputation for the gradient applies the same masks.
    """
    seeds = [(dropout, dropout.make_seeds(count)) for dropout, count in dropouts]
    selects, structure = queries is not None, context

    def compute(x, queries, *context):
        with contextlib.ExitStack() as stack:
            for dropout, drawn in seeds:
                stack.enter_context(dropout.fixed_seeds(drawn))
            packed = tree.pack_sequence_as(structure, context)
            return block(x, packed, training=True, queries=queries if selects else None)[0]

    # remat differentiates by its arguments: tensors, and no None
    return keras.remat(compute)(x, queries if selects else x, *tree.flatten(structure))
