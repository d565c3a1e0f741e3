"""The layers of a teacher that the layers of a student follow, and the losses between their inner vectors."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.transformer import layer_block
from bert_tf.modeling.layers.dense import dense
from bert_tf.tasks.distillation.layer_losses import hidden_loss, relation_heads, relation_loss, spread_layers

# B batch, S sequence, D width

HIDDEN, RELATIONS = "hidden", "relations"  # names of the losses


class FollowedLayers:
    """Pairs of layers of two encoders with transformer blocks that read the same tokens.

    No Keras layer, so that the variables of the teacher are not part of the student's training state.

    Args:
        student, teacher: the encoders.
        losses: which are computed, of "hidden" and "relations".
        layers: the teacher's layer, from 1, that each layer of the student follows; (): evenly spread.
        heads: of relations; see the function `relation_heads`.
        policy: dtype policy of the projection.

    Attributes:
        projection: a dense layer from the student's hidden states to the teacher's width, which the owner trains; None
            where the widths are the same, or hidden states are not compared.

    Raises:
        ConfigError: `layers` or `heads` do not fit the encoders.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any,
        losses: Sequence[str],
        layers: Sequence[int] = (),
        heads: int | None = None,
        policy: Any = None,
    ):
        ours, theirs = student.config.num_layers, teacher.config.num_layers
        layers = list(layers) or spread_layers(ours, theirs)
        if len(layers) != ours or not all(1 <= layer <= theirs for layer in layers):
            raise ConfigError(
                f"Received: layers={layers}. Give a layer of the teacher, from 1 to {theirs}, for each of the "
                f"student's {ours} layers."
            )
        self.student, self.teacher, self.losses, self.layers = student, teacher, tuple(losses), tuple(layers)
        last = layer_block(student, ours - 1).attention
        followed = layer_block(teacher, layers[-1] - 1).attention
        self.heads = relation_heads(last.query.units, followed.query.units, last.num_heads, heads)
        self.projection = None
        width = teacher.config.hidden_size
        if HIDDEN in losses and width != student.config.hidden_size:
            self.projection = dense(width, student.config.initializer_range, dtype=policy, name="projection")
            self.projection.build((None, None, student.config.hidden_size))

    def __call__(self, states: Sequence[Any], followed: Sequence[Any], mask: Any) -> dict[str, Any]:
        """The losses of a batch.

        Args:
            states, followed: hidden states of the student and of the teacher: [B, S, D] of the embeddings and of every
                layer.
            mask: int [B, S], 1 = real token.

        Returns:
            {name of a loss: float32 [B]}.
        """
        found = {}
        if HIDDEN in self.losses:
            found[HIDDEN] = self._hidden(states, followed, mask)
        if RELATIONS in self.losses:
            last, layer = self.student.config.num_layers, self.layers[-1]
            ours = self.student.attention_vectors(last - 1, states[last - 1])
            theirs = self.teacher.attention_vectors(layer - 1, followed[layer - 1])
            found[RELATIONS] = relation_loss(ours, [ops.stop_gradient(x) for x in theirs], self.heads, mask)
        return found

    def _hidden(self, states, followed, mask):
        """The mean of `hidden_loss` over the student's layers: float32 [B]."""
        losses = []
        for state, layer in zip(states[1:], self.layers, strict=True):
            if self.projection:
                state = self.projection(state)
            losses.append(hidden_loss(state, followed[layer], mask))
        return ops.mean(ops.stack(losses), 0)
