"""BERT2BERT: a decoder of BERT's blocks with attention to the encoder's vectors (Rothe et al. 2020)."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import InputError
from bert_tf.modeling.decoders.base import Decoder, source_inputs
from bert_tf.modeling.families.transformer import attention_settings
from bert_tf.modeling.layers.attention_mask import attention_bias, score_bias
from bert_tf.modeling.layers.cross_attention import CrossAttention

# B batch, S source, T target, N heads, H head size, D hidden


class CrossDecoder(Decoder):
    """Embeddings and blocks of its own, with a cross-attention in each block.

    Args:
        encoder: the encoder of the source.
        config: of the decoder, of the config class of the encoder's family; None: the target is read by the weights of
            the encoder (BERTSHARE), and only the cross-attention is new.

    Raises:
        InputError: the decoder has another hidden size than the encoder.
    """

    has_config = True

    def __init__(self, encoder: Any, config: Any = None, **kwargs: Any):
        super().__init__(encoder, **kwargs)
        self.config = config or encoder.config
        width = encoder.config.hidden_size
        if self.config.hidden_size != width:
            raise InputError(
                f"The decoder has vectors of {self.config.hidden_size} numbers, the encoder of {width}. "
                "They must agree."
            )
        if config:
            # An encoder of the same kind, without its pooler.
            twin = type(encoder)(name=self.name, dtype=self.dtype_policy, **dataclasses.asdict(config))
            self.embeddings, self.blocks = twin.embeddings, twin.blocks
        self.has_own_stack = config is not None
        settings = attention_settings(self.config) | {"dtype": self.dtype_policy}
        self.crosses = [CrossAttention(name=f"cross_{i}", **settings) for i in range(self.config.num_layers)]
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables of the cross-attention; the others are there."""
        for cross in self.crosses:
            cross.build()

    def stack(self, encoder: Any) -> Any:
        """As `Decoder.stack`."""
        return self if self.has_own_stack else encoder

    def target_vectors(self, encoder: Any, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """As `Decoder.target_vectors`."""
        source = encoder(source_inputs(inputs), training=training)[features.SEQUENCE_OUTPUT]  # [B, S, D]
        source_bias = _source_bias(inputs)  # [B, 1, 1 or T, S]
        tokens = inputs[features.TARGET_IDS]  # [B, T]
        target = {
            features.INPUT_MASK: inputs.get(features.TARGET_MASK, ops.ones_like(tokens)),
            features.ORDER_IDS: ops.broadcast_to(ops.arange(ops.shape(tokens)[1]), ops.shape(tokens)),
        }
        if features.TARGET_EXAMPLE_IDS in inputs:
            target[features.EXAMPLE_IDS] = inputs[features.TARGET_EXAMPLE_IDS]
        bias = attention_bias(target)  # [B, 1, T, T]
        positions = inputs.get(features.TARGET_POSITION_IDS)
        x = self.stack(encoder).embeddings(tokens, ops.zeros_like(tokens), positions, training=training)  # [B, T, D]
        for block, cross in zip(self.layers_of(encoder), self.crosses, strict=True):
            context, _ = block.attention(x, bias, training=training)
            x = block.add_context(context, x, training)
            x = cross(x, source, source_bias, training=training)
            x = block.feed_forward(x, training)
        return x

    def start(self, encoder: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """As `Decoder.start`, with "memory"."""
        vectors = encoder(inputs)[features.SEQUENCE_OUTPUT]  # [B, S, D]
        memory = [cross.attention.keys_and_values(vectors) for cross in self.crosses]
        return {"source_mask": inputs[features.INPUT_MASK], "memory": memory}

    def position_of(self, index: Any, source: Mapping[str, Any]) -> Any:
        """As `Decoder.position_of`."""
        return index

    def max_target_length(self, encoder: Any, source_length: int) -> int:
        """As `Decoder.max_target_length`."""
        return self.config.max_positions


def _source_bias(inputs):
    """The bias of the cross-attention: [B, 1, 1, S], [B, 1, T, S] for packed rows."""
    if features.TARGET_EXAMPLE_IDS not in inputs:
        return score_bias(inputs[features.INPUT_MASK][:, None, None])
    own = ops.equal(inputs[features.TARGET_EXAMPLE_IDS][:, :, None], inputs[features.EXAMPLE_IDS][:, None])
    return score_bias(own[:, None])
