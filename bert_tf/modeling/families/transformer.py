"""The configurable transformer encoder from which the families of BERT are made."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.base import Encoder
from bert_tf.modeling.families.transformer_config import TransformerConfig
from bert_tf.modeling.layers.attention_mask import attention_bias
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.embeddings import Embeddings
from bert_tf.modeling.layers.modalities.feature_embeddings import FeatureEmbeddings
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.layers.transformer_block import TransformerBlock

# B batch, S sequence, T features, F width of a feature, E examples of a packed row, P positions, Q = P + E queries,
# N heads, D hidden


class TransformerEncoder(Encoder):
    """Embeddings, transformer blocks, and a dense pooler over the vector of [CLS].

    A family is a subclass with its name and its config class, a subclass of `TransformerConfig`. A setting by which
    models of a family differ is a field of the config; what a family computes otherwise is a method that it overrides.

    `shared` are the embeddings of another encoder, whose tables and norm this one uses too.

    Inputs are those of `Encoder`; for packed rows also `position_ids` and `example_ids` [B, S], which give each
    example exactly the result that it has alone, and `cls_positions` [B, E], the position of each example's [CLS].

    An encoder whose config has a `feature_size` also takes `features` [B, T, F], vectors of other modalities, after
    the tokens in the same blocks (Kiela et al. 2019; Kim et al. 2021); `feature_mask` int [B, T], `feature_positions`
    int [B, T] or [B, T, 2] and `feature_types` int [B, T] may be left out as for `FeatureEmbeddings`. Rows of words
    alone have a mask of 0, or no features.
    """

    config_class = TransformerConfig
    has_attention_probs = True
    pooler_activation = "tanh"  # of Keras
    takes_features = True  # whether configs of the family may have features
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
        self.feature_embeddings = self.make_feature_embeddings()
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

    def make_feature_embeddings(self) -> keras.layers.Layer | None:
        """The layer from features, masks, positions and types to vectors [B, T, D]; None for words alone."""
        config = self.config
        if config.feature_size is None:
            return None
        if not self.takes_features:
            raise ConfigError(
                f"Received: feature_size={config.feature_size}. Encoders of {self.family} take words alone."
            )
        return FeatureEmbeddings(
            feature_size=config.feature_size,
            hidden_size=config.hidden_size,
            positions=config.feature_positions,
            types=config.feature_types,
            layer_norm_epsilon=config.layer_norm_epsilon,
            dropout=config.hidden_dropout,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="feature_embeddings",
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
        if self.feature_embeddings:
            self.feature_embeddings.build()
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

    @property
    def is_recording(self) -> bool:
        """Whether calls are in the context of `recording`."""
        return self._recorded is not None

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
            inputs: tensors, see the class. Ids outside their tables raise `InputError` (see `id_checks.py`), and so do
                features with `example_ids` or `order_ids`, or to an encoder without them.
            all_outputs: whether "hidden_states", a list of [B, S, D] from the embeddings to the last block, and
                "attention_probs", a list of [B, N, S, S], are returned too.
            positions: int [B, P]; only the vectors at these positions are computed by the last block.
            cls_only: only the vectors of [CLS] are computed by the last block.

        Returns:
            {"sequence_output", "pooled_output"}: [B, S, D], or [B, P, D] with `positions`, or [B, 1 or E, D] with
            `cls_only`; and [B, D], or [B, E, D] where the inputs have `cls_positions`. With features and all vectors of
            the last block also "feature_output" [B, T, D]; hidden states and attention are then of S + T vectors.
        """
        cls_only = cls_only and not self.is_recording
        vectors, inputs = self._embed_features(inputs, training)  # [B, T, D]
        select_queries = functools.partial(_select_queries, inputs=inputs, positions=positions)
        contexts, queries = self.attention_contexts(inputs, all_outputs), None
        x = self.embeddings(
            inputs[features.INPUT_IDS],
            inputs[features.SEGMENT_IDS],
            inputs.get(features.POSITION_IDS),
            training=training,
        )  # [B, S, D]
        tokens = ops.shape(x)[1]  # S
        if vectors is not None:
            x = ops.concatenate([x, vectors], 1)  # [B, S + T, D]
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
        outputs = {}
        if positions is not None:
            x, first = x[:, : ops.shape(positions)[1]], x[:, ops.shape(positions)[1] :]  # [B, P, D], [B, E, D]
        else:
            first = x if cls_only else _first_vectors(x, inputs)  # [B, E, D]
            if vectors is not None and not cls_only:
                x, outputs[features.FEATURE_OUTPUT] = x[:, :tokens], x[:, tokens:]  # [B, S, D], [B, T, D]
        pooled = self.pooler(first)  # [B, E, D]
        if features.CLS_POSITIONS not in inputs:
            pooled = pooled[:, 0]  # [B, D]
        outputs |= {features.SEQUENCE_OUTPUT: x, features.POOLED_OUTPUT: pooled}
        if all_outputs:
            outputs |= {"hidden_states": hidden_states, "attention_probs": attention_probs}
        return outputs

    def _embed_features(self, inputs, training):
        """Vectors of the features [B, T, D] and the inputs with their mask after that of the tokens [B, S + T].

        Without features None and the inputs unchanged.
        """
        if features.FEATURES not in inputs:
            return None, inputs
        if self.feature_embeddings is None:
            raise InputError("Received: features. This encoder takes words alone; its config has no feature_size.")
        for name in (features.EXAMPLE_IDS, features.ORDER_IDS):
            if name in inputs:
                raise InputError(f"Received: features with {name}. Packed rows and targets hold words alone.")
        vectors = self.feature_embeddings(
            inputs[features.FEATURES],
            inputs.get(features.FEATURE_POSITIONS),
            inputs.get(features.FEATURE_TYPES),
            training=training,
        )  # [B, T, D]
        mask = inputs.get(features.FEATURE_MASK)  # [B, T]
        if mask is None:
            mask = ops.ones(ops.shape(vectors)[:2], "int32")
        words = inputs[features.INPUT_MASK]  # [B, S]
        joined = ops.concatenate([words, ops.cast(mask, words.dtype)], 1)  # [B, S + T]
        return vectors, {**inputs, features.INPUT_MASK: joined}


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
