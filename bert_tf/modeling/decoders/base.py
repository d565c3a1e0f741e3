"""The base of decoders: vectors of a whole target at once (training), or of one token after the other (search)."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.modeling.families.transformer import layer_block
from bert_tf.modeling.layers.attention_mask import score_bias
from bert_tf.modeling.layers.transformer_block import TransformerBlock

# B batch, S source, T target, K beams, R rows of a cache, N heads, H head size, D hidden

Cache = list[tuple[Any, Any]]  # for each block keys and values, [B, N, R, H] each


SOURCE_INPUTS = (*features.ENCODER_INPUTS, features.EXAMPLE_IDS, features.POSITION_IDS)


def source_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of the encoder among those of a model with a decoder."""
    return {name: inputs[name] for name in SOURCE_INPUTS if name in inputs}


class Decoder(keras.layers.Layer):
    """Vectors of target tokens, given a source; its own weights are those that an architecture adds to an encoder.

    The encoder belongs to the model and is an argument of each method. A subclass has `target_vectors`, `start`,
    `position_of` and `max_target_length`; `stack`, where other weights read the target than the source; and `crosses`.

    Raises:
        InputError: the blocks of the encoder's family are not BERT's.
    """

    crosses: Sequence[Any] = ()  # for each block its `CrossAttention`
    segment = 0  # of the target's tokens
    has_config = False  # whether it takes a config of its own
    has_token_head = False  # as in `Encoder`

    def __init__(self, encoder: Any, name: str = "decoder", **kwargs: Any):
        super().__init__(name=name, dtype=encoder.dtype_policy, **kwargs)
        if not isinstance(next(iter(getattr(encoder, "blocks", ())), None), TransformerBlock):
            raise InputError(
                f"Received: an encoder of the family {encoder.family!r}. Decoders are made of BERT's blocks: choose a "
                "family such as 'bert' or 'roberta'."
            )

    def stack(self, encoder: Any) -> Any:
        """The embeddings and blocks that read the target."""
        return encoder

    def target_vectors(self, encoder: Any, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """Vectors [B, T, D] of all tokens of a target; each depends on the source and on the target up to its token.

        `inputs` are those of the encoder for the source, and the target's `target_ids` and `target_mask` (may be left
        out), int [B, T]. Packed rows have `example_ids` and `position_ids` [B, S], `target_example_ids` and
        `target_position_ids` [B, T].
        """
        raise NotImplementedError

    def start(self, encoder: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The vectors of a source that the steps read: "source_mask", int [B, S], and keys and values [B, N, S, H].

        These are the `Cache` "prefix", which the self-attention sees before the target, or "memory", that of the
        cross-attention.
        """
        raise NotImplementedError

    def layers_of(self, encoder: Any) -> list[keras.layers.Layer]:
        """The block of each layer that reads the target."""
        stack = self.stack(encoder)
        return [layer_block(stack, i) for i in range(stack.config.num_layers)]

    def position_of(self, index: Any, source: Mapping[str, Any]) -> Any:
        """The position of the token number `index` of a target: an integer, or int [B, 1]."""
        raise NotImplementedError

    def max_target_length(self, encoder: Any, source_length: int) -> int:
        """The most tokens of a target, the start token included, for the longest source of a batch."""
        raise NotImplementedError

    def empty_cache(self, encoder: Any, batch: Any) -> Cache:
        """A cache of no tokens, R = 0."""
        cache = []
        for block in self.layers_of(encoder):
            heads, head_size = block.attention.num_heads, block.attention.head_size
            zeros = ops.zeros((batch, heads, 0, head_size), self.compute_dtype)
            cache.append((zeros, zeros))
        return cache

    def step(
        self, encoder: Any, tokens: Any, index: Any, visible: Any, source: Mapping[str, Any], caches: Sequence[Cache]
    ) -> tuple[Any, Cache]:
        """Vectors of one more token of each beam, and the last of the caches with its keys and values.

        The beams of a source share the caches: nothing is copied when a search continues from other beams.

        Args:
            tokens: int [B, K], the tokens number `index` of the targets.
            index: int.
            visible: bool [B, K, R], which of the R tokens of all caches a beam sees; the last K are the new ones.
            source: of `start`.
            caches: of earlier target tokens; the last one grows by K rows, the others are only read.

        Returns:
            [B, K, D], the last cache.
        """
        stack = self.stack(encoder)
        ones = ops.ones_like(tokens)
        x = stack.embeddings(tokens, self.segment * ones, self.position_of(index, source) * ones)  # [B, K, D]
        bias = score_bias(ops.expand_dims(visible, 1))  # [B, 1, K, R]
        source_bias = score_bias(source["source_mask"][:, None, None])  # [B, 1, 1, S]
        if "prefix" in source:
            caches = [source["prefix"], *caches]
            shape = (*ops.shape(bias)[:3], ops.shape(source_bias)[3])
            bias = ops.concatenate([ops.broadcast_to(source_bias, shape), bias], -1)  # [B, 1, K, S + R]
        grown = []
        for i, block in enumerate(self.layers_of(encoder)):
            *old, last = [cache[i] for cache in caches]
            new = block.attention.keys_and_values(x)  # [B, N, K, H] each
            last = tuple(ops.concatenate(pair, 2) for pair in zip(last, new, strict=True))
            x = block.add_context(block.attention.attend_to(x, [*old, last], bias), x)
            if self.crosses:
                x = self.crosses[i].step(x, source["memory"][i], source_bias)
            x = block.feed_forward(x)
            grown.append(last)
        return x, grown
