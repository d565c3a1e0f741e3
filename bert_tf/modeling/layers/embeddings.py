"""The sum of token, position and segment embeddings, normalised (Devlin et al. 2019, figure 2)."""

from typing import Any

import keras
from keras import ops

from bert_tf.modeling.layers.dense import Embedding, dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.id_checks import check_ids, check_length
from bert_tf.modeling.layers.initializers import truncated_normal
from bert_tf.modeling.layers.residual_norm import ResidualNorm

# B batch, S sequence, E embedding, D hidden, T segment types


@keras.saving.register_keras_serializable("bert_tf")
class SegmentEmbedding(Embedding):
    """A table of T rows, for a small T: with 1 all tokens have the same segment."""

    def call(self, segment_ids: Any, x: Any) -> Any:
        """The embeddings of int [B, S], of the shape of `x` [B, S, E]; with one row the ids are not read."""
        table = ops.cast(self.embeddings, self.compute_dtype)  # [T, E]
        if self.input_dim == 1:  # the family has no segments, so that ids of two say nothing
            return ops.zeros_like(x) + table
        check_ids("segment_ids", segment_ids, self.input_dim)
        # A product with one-hot vectors: the gradient of a lookup in so small a table is a slow scatter.
        return ops.matmul(ops.one_hot(segment_ids, self.input_dim, dtype=self.compute_dtype), table)


@keras.saving.register_keras_serializable("bert_tf")
class Embeddings(keras.layers.Layer):
    """Token ids to vectors: int [B, S] to [B, S, D].

    The sublayers `token`, `position` and `segment` hold the three tables [rows, E]. Ids outside of them, and sequences
    longer than `max_positions`, raise `InputError`.

    Args:
        hidden_size: D.
        embedding_size: E; where it is given, a dense layer `projection` brings the vectors to D (Lan et al. 2020,
            section 3.1).
        type_vocab_size: T; with 1 all tokens have the same segment, with 0 there is no table.
        padding_id: None, or the id of padding as fairseq counts positions: those of tokens begin at `padding_id` + 1,
            and that of padding is `padding_id` (RoBERTa's).
        shared: a layer whose tables and norm this one uses; None: it has its own.
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
        embedding_size: int | None = None,
        padding_id: int | None = None,
        shared: "Embeddings | None" = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.vocab_size = vocab_size
        self.max_positions = max_positions
        self.type_vocab_size = type_vocab_size
        self.padding_id = padding_id
        self.width = embedding_size or hidden_size  # E

        def table(size, name, kind=Embedding):
            initializer = truncated_normal(initializer_range)
            return kind(size, self.width, initializer, dtype=policy, name=name)

        unused = 0 if padding_id is None else padding_id + 1
        self.token: Embedding = shared.token if shared else table(vocab_size, "token")
        self.position: Embedding = shared.position if shared else table(max_positions + unused, "position")
        self.segment: SegmentEmbedding | None = None
        if type_vocab_size:
            self.segment = shared.segment if shared else table(type_vocab_size, "segment", SegmentEmbedding)
        self.norm: ResidualNorm = (
            shared.norm if shared else ResidualNorm(epsilon=layer_norm_epsilon, dtype=policy, name="norm")
        )
        self.dropout = Dropout(dropout, dtype=policy)
        self.projection = None
        if embedding_size:
            self.projection = dense(hidden_size, initializer_range, dtype=policy, name="projection")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        for table in (self.token, self.position, self.segment):
            if table:
                table.build()
        if not self.norm.built:
            self.norm.build((None, None, self.width))
        if self.projection:
            self.projection.build((None, None, self.width))

    def call(self, input_ids: Any, segment_ids: Any, position_ids: Any = None, training: bool | None = None) -> Any:
        """The sum of the embeddings, normalised, with dropout in training: [B, S, D].

        Args:
            input_ids, segment_ids: int [B, S]; segment ids are not read where there is no choice of segments.
            position_ids: int [B, S]; None: 0 to S - 1 in every row.
        """
        check_length(input_ids, position_ids, self.max_positions)
        check_ids("input_ids", input_ids, self.vocab_size)
        if position_ids is not None:
            check_ids("position_ids", position_ids, self.max_positions)
        x = self.token(input_ids) + self.position(self._position_rows(input_ids, position_ids))  # [B, S, E]
        x = self.norm(self._segments(segment_ids, x), x, training=training)  # [B, S, E]
        x = self.dropout(x, training=training)
        return self.projection(x) if self.projection else x  # [B, S, D]

    def _position_rows(self, input_ids, position_ids):
        """Rows of the position table, [S] or [B, S]."""
        if self.padding_id is None:
            return ops.arange(ops.shape(input_ids)[1]) if position_ids is None else position_ids
        real = ops.cast(ops.not_equal(input_ids, self.padding_id), "int32")  # [B, S]
        place = ops.cumsum(real, 1) if position_ids is None else ops.cast(position_ids, "int32") + 1  # from 1
        return place * real + self.padding_id

    def _segments(self, segment_ids, x):
        """Segment embeddings, in a shape that can be added to `x` [B, S, E]."""
        return ops.zeros_like(x) if self.segment is None else self.segment(segment_ids, x)
