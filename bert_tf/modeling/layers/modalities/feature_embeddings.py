"""Features of other modalities as vectors that a transformer attends to beside those of its tokens."""

from typing import Any

import keras
from keras import ops

from bert_tf.core.errors import InputError
from bert_tf.modeling.layers.dense import Embedding, dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.embeddings import SegmentEmbedding
from bert_tf.modeling.layers.id_checks import check_ids
from bert_tf.modeling.layers.initializers import truncated_normal
from bert_tf.modeling.layers.residual_norm import ResidualNorm

# B batch, T features, F width of a feature, A axes, D hidden


@keras.saving.register_keras_serializable("bert_tf")
class FeatureEmbeddings(keras.layers.Layer):
    """Projected features plus position and type embeddings of their own, normalised: [B, T, F] to [B, T, D].

    The linear projection is that of ViLT's patches (Kim et al. 2021, section 3.1); the types are the segments that MMBT
    (Kiela et al. 2019, section 3.2) gives each modality. The position embedding is the sum over axes, as row and column
    of a patch.

    Args:
        feature_size: F.
        hidden_size: D.
        positions: sizes of the position tables, one per axis (A of them).
        types: number of modalities.
    """

    def __init__(
        self,
        feature_size: int,
        hidden_size: int,
        positions: tuple[int, ...],
        types: int,
        layer_norm_epsilon: float,
        dropout: float,
        initializer_range: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.feature_size, self.hidden_size = feature_size, hidden_size
        self.positions, self.types = tuple(positions), types

        def table(size, name, kind=Embedding):
            return kind(size, hidden_size, truncated_normal(initializer_range), dtype=policy, name=name)

        self.projection = dense(hidden_size, initializer_range, dtype=policy, name="projection")
        self.position_0 = table(self.positions[0], "position_0")
        if len(self.positions) > 1:
            self.position_1 = table(self.positions[1], "position_1")
        self.type = table(types, "type", SegmentEmbedding)
        self.norm = ResidualNorm(epsilon=layer_norm_epsilon, dtype=policy, name="norm")
        self.dropout = Dropout(dropout, dtype=policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        self.projection.build((None, None, self.feature_size))
        for table in (*self._position_tables, self.type):
            table.build()
        self.norm.build((None, None, self.hidden_size))

    @property
    def _position_tables(self):
        return [getattr(self, f"position_{axis}") for axis in range(len(self.positions))]

    def call(self, features: Any, positions: Any = None, types: Any = None, training: bool | None = None) -> Any:
        """The vectors of the features, with dropout in training: [B, T, D].

        Args:
            features: float [B, T, F].
            positions: int [B, T, A], or [B, T] for one axis; None: 0 to T - 1, of a layer with one axis.
            types: int [B, T]; None: all 0.

        Raises:
            InputError: the features have another width, positions are missing or of other axes, or are not in their
                tables.
        """
        if features.shape[-1] != self.feature_size:
            raise InputError(f"Received: features {features.shape[-1]} wide. This encoder's are {self.feature_size}.")
        place = 0
        for axis, table in enumerate(self._position_tables):
            rows = self._axis(features, positions, axis)  # [T] or [B, T]
            check_ids("feature_positions", rows, self.positions[axis])
            place = place + table(rows)  # [T, D] or [B, T, D]
        if types is None:
            types = ops.zeros((1, 1), "int32")
        check_ids("feature_types", types, self.types)
        x = self.projection(features)  # [B, T, D]
        place = ops.broadcast_to(place + self.type(types, x), ops.shape(x))  # [B, T, D]
        x = self.norm(place, x, training=training)  # [B, T, D]
        return self.dropout(x, training=training)

    def _axis(self, features, positions, axis):
        """Rows of the position table of an axis, [T] or [B, T]."""
        axes = len(self.positions)
        if positions is None and axes == 1:
            return ops.arange(ops.shape(features)[1])
        given = None if positions is None else (1 if len(positions.shape) == 2 else positions.shape[-1])
        if given != axes:
            raise InputError(
                f"Received: feature_positions of {given or 'no'} axes. This encoder's features have {axes}."
            )
        return positions if len(positions.shape) == 2 else positions[..., axis]
