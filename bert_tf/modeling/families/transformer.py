"""The configurable transformer encoder from which the families of BERT are made."""

import contextlib
import dataclasses
import functools
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError
from bert_tf.core.settings import shortened
from bert_tf.modeling.families.base import Encoder, EncoderConfig
from bert_tf.modeling.layers.attention_mask import attention_bias
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.embeddings import Embeddings
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.layers.transformer_block import TransformerBlock

# B batch, S sequence, E examples of a packed row, P positions, Q = P + E queries, N heads, D hidden


@dataclasses.dataclass(frozen=True)
class TransformerConfig(EncoderConfig):
    """Sizes and numerics of a transformer; where the models of one family differ, a subclass has more fields.

    `layer_heads` and `layer_intermediate_sizes` are the sizes of a pruned encoder, one for each block: how many of the
    `num_heads` heads, whose width stays, and of the `intermediate_size` columns it has. None: all.

    Attributes without a type hint are the same for all models of a family:
        type_vocab_size: number of segments; 0: the family has none.
        skips_padding: whether positions are counted as in fairseq (see `Embeddings`).
        num_groups: number of blocks with weights of their own; None: all.
    """

    intermediate_size: int = 3072
    activation: str = "gelu"  # exact; google-research/bert computes "gelu_tanh"
    layer_norm_epsilon: float = 1e-12
    layer_heads: tuple[int, ...] | None = None
    layer_intermediate_sizes: tuple[int, ...] | None = None

    type_vocab_size = 0
    skips_padding = False
    num_groups = None

    @property
    def has_projection(self) -> bool:
        """Whether a dense layer brings the embeddings to the hidden size."""
        return self.embedding_size != self.hidden_size

    @property
    def num_blocks(self) -> int:
        """Number of blocks with weights of their own."""
        return self.num_groups or self.num_layers

    def block_sizes(self, i: int) -> dict[str, int]:
        """The heads, their width, and the width of the feed-forward network of block number `i`."""
        return {
            "num_heads": self.layer_heads[i] if self.layer_heads else self.num_heads,
            "head_size": self.head_size,
            "intermediate_size": (
                self.layer_intermediate_sizes[i] if self.layer_intermediate_sizes else self.intermediate_size
            ),
        }

    def layer_widths(self, layer: int) -> tuple[int, int]:
        """As `EncoderConfig.layer_widths`."""
        sizes = self.block_sizes(self.block_number(layer))
        return sizes["num_heads"] * self.head_size, sizes["intermediate_size"]

    def block_number(self, layer: int) -> int:
        """The number of the block of a layer; groups of layers may share one."""
        return layer * self.num_blocks // self.num_layers

    def layer_kind(self, i: int) -> Any:
        """A value that differs between layers that compute different things, whatever their sizes."""

    def uniform(self) -> Self:
        """As `EncoderConfig.uniform`."""
        return dataclasses.replace(self, layer_heads=None, layer_intermediate_sizes=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("intermediate_size")
        if not 0 < self.layer_norm_epsilon < 1:
            raise ConfigError(
                f"Received: layer_norm_epsilon={self.layer_norm_epsilon}. It must be above 0 and below 1."
            )
        self._check_block_sizes("layer_heads", "num_heads")
        self._check_block_sizes("layer_intermediate_sizes", "intermediate_size")

    def _check_block_sizes(self, name: str, whole: str) -> None:
        """Checks the field `name`, and sets it to None where every block has all that the field `whole` says."""
        sizes, most = getattr(self, name), getattr(self, whole)
        if sizes is None:
            return
        are_numbers = isinstance(sizes, tuple | list) and all(isinstance(size, numbers.Integral) for size in sizes)
        if not are_numbers or len(sizes) != self.num_blocks or not 1 <= min(sizes) <= max(sizes) <= most:
            raise ConfigError(
                f"Received: {name}={shortened(sizes)}. It must have a number for each of the {self.num_blocks} blocks, "
                f"from 1 to {whole}={most}."
            )
        kept = None if set(sizes) == {most} else tuple(sizes)
        object.__setattr__(self, name, kept)  # of a frozen dataclass


class TransformerEncoder(Encoder):
    """Embeddings, transformer blocks, and a dense pooler over the vector of [CLS].

    A family is a subclass with its name and its config class, a subclass of `TransformerConfig`. A setting by which
    models of a family differ is a field of the config; what a family computes otherwise is a method that it overrides.

    `shared` are the embeddings of another encoder, whose tables and norm this one uses too.

    Inputs are those of `Encoder`; for packed rows also `position_ids` and `example_ids` [B, S], which give each
    example exactly the result that it has alone, and `cls_positions` [B, E], the position of each example's [CLS].
    """

    config_class = TransformerConfig
    has_attention_probs = True
    pooler_activation = "tanh"  # of Keras
    remat = False  # gradient checkpointing: training computes the inside of blocks twice and keeps less of it
    _recorded: "RecordedStates | None" = None

    def __init__(
        self,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        shared: keras.layers.Layer | None = None,
        **settings: Any,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable, **settings)
        self.embeddings = self.make_embeddings(shared)
        self.blocks = [self.make_block(i) for i in range(self.config.num_blocks)]
        self.final_norm = self.make_final_norm()
        self.pooler = self.make_pooler()
        self.build()

    def make_embeddings(self, shared: Any = None) -> keras.layers.Layer:
        """The layer from input ids, segment ids and position ids to vectors [B, S, D]; `shared` as for the class."""
        config = self.config
        return Embeddings(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            max_positions=config.max_positions,
            type_vocab_size=config.type_vocab_size,
            layer_norm_epsilon=config.layer_norm_epsilon,
            dropout=config.hidden_dropout,
            initializer_range=config.initializer_range,
            embedding_size=config.embedding_size if config.has_projection else None,
            padding_id=config.padding_id if config.skips_padding else None,
            shared=shared,
            dtype=self.dtype_policy,
            name="embeddings",
        )

    def make_block(self, i: int) -> keras.layers.Layer:
        """Block number `i`, called with vectors, attention context, `training` and `queries`."""
        return TransformerBlock(**self.block_settings(i))

    def block_settings(self, i: int) -> dict[str, Any]:
        """The arguments of block number `i` that blocks of all kinds take."""
        return attention_settings(self.config) | {
            **self.config.block_sizes(i),
            "activation": self.config.activation,
            "dtype": self.dtype_policy,
            "name": f"block_{i}",
        }

    def make_final_norm(self) -> keras.layers.Layer | None:
        """The norm after the last block, where a family has one."""
        return None

    def make_pooler(self) -> keras.layers.Layer:
        """The layer from the vector of [CLS] to that of the sequence."""
        config = self.config
        return dense(
            config.hidden_size,
            config.initializer_range,
            activation=self.pooler_activation,
            dtype=self.dtype_policy,
            name="pooler",
        )

    def attention_contexts(self, inputs: Mapping[str, Any], all_outputs: bool) -> list[Any]:
        """For each block, the tensor (or structure of tensors) that tells its attention which tokens it may see."""
        del all_outputs
        return [attention_bias(inputs)] * self.config.num_layers  # [B, 1, 1 or S, S]

    def last_context(self, inputs: Mapping[str, Any], select_queries: Callable) -> Any:
        """The same for the last block when it computes only the queries that `select_queries` picks."""
        return attention_bias(inputs, select_queries)  # [B, 1, 1 or Q, S]

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        self.embeddings.build()
        for block in self.blocks:
            block.build()
        if self.final_norm:
            self.final_norm.build((None, None, self.config.hidden_size))
        self.pooler.build((None, self.config.hidden_size))

    @property
    def stages(self) -> list[keras.layers.Layer]:
        """The embeddings, then the blocks from bottom to top."""
        return [self.embeddings, *self.blocks]

    @contextlib.contextmanager
    def recording(self) -> "Iterator[RecordedStates]":
        """A context that yields the hidden states of the newest call in it, whatever calls the encoder.

        Calls compute all vectors of the last block: `cls_only` saves nothing.
        """
        self._recorded = recorded = RecordedStates()
        try:
            yield recorded
        finally:
            self._recorded = None

    def attention_vectors(self, i: int, x: Any) -> tuple[Any, Any, Any]:
        """Queries, keys and values of layer number `i` for its input [B, S, D]: [B, S, N * H] each, heads joined."""
        return layer_block(self, i).attention_vectors(x)

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
        cls_only = cls_only and self._recorded is None
        select_queries = functools.partial(_select_queries, inputs=inputs, positions=positions)
        contexts, queries = self.attention_contexts(inputs, all_outputs), None
        x = self.embeddings(
            inputs[features.INPUT_IDS],
            inputs[features.SEGMENT_IDS],
            inputs.get(features.POSITION_IDS),
            training=training,
        )  # [B, S, D]
        hidden_states, attention_probs = [x], []
        remat = self.remat and training and not all_outputs
        layers = self.config.num_layers
        for i, context in enumerate(contexts):
            block = layer_block(self, i)
            if (cls_only or positions is not None) and i == layers - 1:
                # The last block computes only what is read: its queries are chosen, keys and values are of all tokens.
                context = self.last_context(inputs, select_queries)
                queries = select_queries(x)  # [B, Q, D]
            if remat:
                x, probs = block.call_rematerialized(x, context, queries), None
            else:
                x, probs = block(x, context, training=training, queries=queries)
            hidden_states.append(x)
            attention_probs.append(probs)
        if self.final_norm:
            hidden_states[-1] = x = self.final_norm(x)
        if self._recorded is not None:
            self._recorded.states = hidden_states
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


class RecordedStates:
    """The hidden states of an encoder's newest call.

    Attributes:
        states: [B, S, D] each, of the embeddings, then of every layer.
    """

    states: list[Any]


def attention_settings(config: Any) -> dict[str, Any]:
    """The arguments, from the config of an encoder, that its blocks and a cross-attention take."""
    names = (
        *("num_heads", "hidden_size", "layer_norm_epsilon"),
        *("hidden_dropout", "attention_dropout", "initializer_range"),
    )
    return {name: getattr(config, name) for name in names}


def layer_block(stack: Any, i: int) -> keras.layers.Layer:
    """The block of layer number `i` in a stack with `blocks` and a `config`."""
    return stack.blocks[stack.config.block_number(i)]


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
