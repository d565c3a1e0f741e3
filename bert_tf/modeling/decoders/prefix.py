"""One encoder that reads and writes, with UniLM's mask (Dong et al. 2019): no new weights but the masked LM head's."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from bert_tf.core import features
from bert_tf.modeling.decoders.base import Decoder, source_inputs

# B batch, S source, T target, D hidden


class PrefixDecoder(Decoder):
    """The source sees itself, the target sees the source and its past.

    The target's tokens are of segment 1, and their positions follow those of the source.
    """

    segment = 1

    def target_vectors(self, encoder: Any, inputs: Mapping[str, Any], training: bool | None = None) -> Any:
        """As `Decoder.target_vectors`."""
        inputs = {name: ops.cast(value, "int32") for name, value in inputs.items()}
        source, tokens = source_inputs(inputs), inputs[features.TARGET_IDS]
        order = ops.broadcast_to(ops.arange(ops.shape(tokens)[1], dtype="int32"), ops.shape(tokens))  # [B, T]
        source.setdefault(features.EXAMPLE_IDS, inputs[features.INPUT_MASK])  # a row of one example, number 1
        examples = inputs.get(features.TARGET_EXAMPLE_IDS, inputs.get(features.TARGET_MASK, ops.ones_like(tokens)))
        own = ops.equal(examples[:, :, None], source[features.EXAMPLE_IDS][:, None])  # [B, T, S]
        lengths = ops.sum(ops.cast(own, "int32"), -1) * ops.cast(examples > 0, "int32")  # [B, T], of a token's source
        target = {
            features.INPUT_IDS: tokens,
            features.SEGMENT_IDS: self.segment * ops.ones_like(tokens),
            features.EXAMPLE_IDS: examples,
            features.POSITION_IDS: lengths + inputs.get(features.TARGET_POSITION_IDS, order),
            features.ORDER_IDS: order + 1,
        }
        length = ops.shape(source[features.INPUT_IDS])[1]
        zeros = ops.zeros_like(source[features.INPUT_IDS])  # [B, S]
        source.setdefault(features.POSITION_IDS, zeros + ops.arange(length, dtype="int32"))
        source[features.ORDER_IDS] = zeros
        row = {name: ops.concatenate([source[name], target[name]], 1) for name in target}  # [B, S + T]
        return encoder(row, training=training)[features.SEQUENCE_OUTPUT][:, length:]  # [B, T, D]

    def start(self, encoder: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """As `Decoder.start`, with "prefix"."""
        states = encoder(inputs, all_outputs=True)["hidden_states"]  # [B, S, D] each
        blocks = self.layers_of(encoder)
        cache = [block.attention.keys_and_values(x) for block, x in zip(blocks, states[:-1], strict=True)]
        return {"source_mask": inputs[features.INPUT_MASK], "prefix": cache}

    def position_of(self, index: Any, source: Mapping[str, Any]) -> Any:
        """As `Decoder.position_of`: after the source's tokens."""
        return ops.sum(ops.cast(source["source_mask"], "int32"), 1, keepdims=True) + index  # [B, 1]

    def max_target_length(self, encoder: Any, source_length: int) -> int:
        """As `Decoder.max_target_length`."""
        return encoder.config.max_positions - source_length
