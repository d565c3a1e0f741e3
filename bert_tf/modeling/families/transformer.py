"""The configurable transformer encoder from which the families of BERT are made."""

import functools
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.modeling.families.base import Encoder
from bert_tf.modeling.layers.attention_mask import attention_bias
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.embeddings import Embeddings
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.layers.transformer_block import TransformerBlock

# B batch, S sequence, E examples of a packed row, P positions, Q = P + E queries, N heads, D hidden


class TransformerEncoder(Encoder):
    """Embeddings, transformer blocks, and a tanh pooler over the vector of [CLS].

    A family is a subclass with its name and its config class; `config` needs the fields of `BertConfig`. A setting
    by which families differ becomes a field of the config and an argument of the layer that it changes.

    Inputs are those of `Encoder`; for packed rows also `position_ids` and `example_ids` [B, S], which give each
    example exactly the result that it has alone, and `cls_positions` [B, E], the position of each example's [CLS].
    """

    has_attention_probs = True
    remat = False  # gradient checkpointing: training computes the inside of blocks twice and keeps less of it

    def __init__(self, name: str | None = None, dtype: Any = None, trainable: bool = True, **settings: Any):
        super().__init__(name=name, dtype=dtype, trainable=trainable, **settings)
        config: Any = self.config  # of the family
        policy = self.dtype_policy
        self.embeddings = Embeddings(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            max_positions=config.max_positions,
            type_vocab_size=config.type_vocab_size,
            layer_norm_epsilon=config.layer_norm_epsilon,
            dropout=config.hidden_dropout,
            initializer_range=config.initializer_range,
            dtype=policy,
            name="embeddings",
        )
        self.blocks = [self._make_block(f"block_{i}") for i in range(config.num_layers)]
        self.pooler = dense(
            config.hidden_size, config.initializer_range, activation="tanh", dtype=policy, name="pooler"
        )
        self.build()

    def _make_block(self, name: str) -> TransformerBlock:
        config: Any = self.config
        return TransformerBlock(
            num_heads=config.num_heads,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            activation=config.activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            hidden_dropout=config.hidden_dropout,
            attention_dropout=config.attention_dropout,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        self.embeddings.build()
        for block in self.blocks:
            block.build()
        self.pooler.build((None, self.config.hidden_size))

    @property
    def stages(self) -> list[keras.layers.Layer]:
        """The embeddings, then the blocks from bottom to top."""
        return [self.embeddings, *self.blocks]

    def call(
        self,
        inputs: Mapping[str, Any],
        training: bool | None = None,
        all_outputs: bool = False,
        positions: Any = None,
        cls_only: bool = False,
    ) -> dict[str, Any]:
        """The outputs for a batch.

        Args:
            inputs: int tensors, see the class. Ids outside their tables raise `InputError` (see `id_checks.py`).
            all_outputs: whether "hidden_states", a list of [B, S, D] from the embeddings to the last block, and
                "attention_probs", a list of [B, N, S, S], are returned too.
            positions: int [B, P]; only the vectors at these positions are computed by the last block.
            cls_only: only the vectors of [CLS] are computed by the last block.

        Returns:
            {"sequence_output", "pooled_output"}: [B, S, D], or [B, P, D] with `positions`, or [B, 1 or E, D] with
            `cls_only`; and [B, D], or [B, E, D] where the inputs have `cls_positions`.
        """
        select_queries = functools.partial(_select_queries, inputs=inputs, positions=positions)
        bias, queries = attention_bias(inputs), None  # [B, 1, 1 or S, S]
        x = self.embeddings(
            inputs[features.INPUT_IDS],
            inputs[features.SEGMENT_IDS],
            inputs.get(features.POSITION_IDS),
            training=training,
        )  # [B, S, D]
        hidden_states, attention_probs = [x], []
        remat = self.remat and training and not all_outputs
        for block in self.blocks:
            if (cls_only or positions is not None) and block is self.blocks[-1]:
                # The last block computes only what is read: its queries are chosen, keys and values are of all tokens.
                bias = attention_bias(inputs, select_queries)  # [B, 1, 1 or Q, S]
                queries = select_queries(x)  # [B, Q, D]
            if remat:
                x, probs = block.call_rematerialized(x, bias, queries), None
            else:
                x, probs = block(x, bias, training=training, queries=queries)
            hidden_states.append(x)
            attention_probs.append(probs)
        if positions is not None:
            x, first = x[:, : ops.shape(positions)[1]], x[:, ops.shape(positions)[1] :]  # [B, P, D], [B, E, D]
        else:
            first = x if cls_only else _first_vectors(x, inputs)  # [B, E, D]
        pooled = self.pooler(first)  # [B, E, D]
        if features.CLS_POSITIONS not in inputs:
            pooled = pooled[:, 0]  # [B, D]
        outputs = {features.SEQUENCE_OUTPUT: x, features.POOLED_OUTPUT: pooled}
        if all_outputs:
            outputs |= {"hidden_states": hidden_states, "attention_probs": attention_probs}
        return outputs


def _first_vectors(sequence, inputs):
    """The vectors of `sequence` [B, S, D] at the [CLS] of each example: [B, E, D]."""
    if features.CLS_POSITIONS in inputs:
        return gather_positions(sequence, inputs[features.CLS_POSITIONS])
    return ops.expand_dims(sequence[:, 0], 1)


def _select_queries(sequence, inputs, positions):
    """The vectors of `sequence` [B, S, D] at `positions`, if any, then those at each [CLS]: [B, Q, D]."""
    first = _first_vectors(sequence, inputs)  # [B, E, D]
    if positions is None:
        return first
    chosen = gather_positions(sequence, positions)  # [B, P, D]
    return ops.concatenate([chosen, first], 1)
