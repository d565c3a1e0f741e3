"""The sum of token, position and segment embeddings, normalised (Devlin et al. 2019, figure 2)."""

from typing import Any

import keras
from keras import ops

from bert_tf.core.errors import InputError
from bert_tf.modeling.layers.dense import Embedding
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.id_checks import check_ids
from bert_tf.modeling.layers.initializers import truncated_normal
from bert_tf.modeling.layers.residual_norm import ResidualNorm

# B batch, S sequence, D hidden, T segment types


@keras.saving.register_keras_serializable("bert_tf")
class Embeddings(keras.layers.Layer):
    """Token ids to vectors: int [B, S] to [B, S, D].

    The sublayers `token`, `position` and `segment` hold the three tables. Ids outside of them, and sequences longer
    than `max_positions`, raise `InputError`.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        max_positions: int,
        type_vocab_size: int,
        layer_norm_epsilon: float,
        dropout: float,
        initializer_range: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.vocab_size = vocab_size
        self.max_positions = max_positions
        self.type_vocab_size = type_vocab_size

        def table(size, name):
            return Embedding(size, hidden_size, truncated_normal(initializer_range), dtype=self.dtype_policy, name=name)

        self.token = table(vocab_size, "token")
        self.position = table(max_positions, "position")
        self.segment = table(type_vocab_size, "segment")
        self.norm = ResidualNorm(epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm")
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.hidden_size = hidden_size

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for table in (self.token, self.position, self.segment):
            table.build()
        self.norm.build((None, None, self.hidden_size))

    def call(self, input_ids: Any, segment_ids: Any, position_ids: Any = None, training: bool | None = None) -> Any:
        """The sum of three embeddings, normalised, with dropout in training: [B, S, D].

        Args:
            input_ids, segment_ids: int [B, S].
            position_ids: int [B, S]; None: 0 to S - 1 in every row.
        """
        length = input_ids.shape[1]
        if length is not None and length > self.max_positions and position_ids is None:
            raise InputError(
                f"Received: {length} tokens per sequence. This encoder has {self.max_positions} positions."
            )
        check_ids("input_ids", input_ids, self.vocab_size)
        check_ids("segment_ids", segment_ids, self.type_vocab_size)
        if position_ids is None:
            position_ids = ops.arange(ops.shape(input_ids)[1])  # [S]
        else:
            check_ids("position_ids", position_ids, self.max_positions)
        # A product with one-hot vectors: the gradient of a lookup in so small a table is a slow scatter.
        segments = ops.one_hot(segment_ids, self.type_vocab_size, dtype=self.compute_dtype)  # [B, S, T]
        x = self.token(input_ids) + self.position(position_ids)  # [B, S, D]
        segments = ops.matmul(segments, ops.cast(self.segment.embeddings, self.compute_dtype))  # [B, S, D]
        return self.dropout(self.norm(segments, x, training=training), training=training)
