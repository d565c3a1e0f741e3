"""The signatures of a model that writes text: its encoder, and one step of its decoder, with tensors of fixed shapes.

A runtime without tensors that grow calls `encode` once for a source and `decode` once for each token of the target.
"""

from typing import Any

import tensorflow as tf

from bert_tf.export.tflite_metadata import INPUT_NAMES
from bert_tf.tasks.base.task import Task

# S source, T target, N heads, H head size, L layers, V vocabulary

ENCODE, DECODE = "encode", "decode"
TOKEN, INDEX, SOURCE_MASK, LOGITS = "token", "index", "source_mask", "logits"
SOURCE, TARGET = "source", "target"  # first words of the names of keys and values


def cache_names(side: str, num_layers: int) -> list[tuple[str, str]]:
    """The names of keys and values of each layer: "source_keys_0" and "source_values_0", or those of the target."""
    return [(f"{side}_keys_{i}", f"{side}_values_{i}") for i in range(num_layers)]


class StepSignatures:
    """Functions for sources of S tokens and targets of up to T tokens, one example at a time; TensorFlow ops only.

    - `encode`: the encoder's inputs under `INPUT_NAMES`, int32 [1, S], to `source_mask`, int32 [1, S], and for each of
      L layers `source_keys_0` and `source_values_0`, float32 [1, N, S, H].
    - `decode`: `token`, int32 [1, 1], the target's token number `index`, int32 [1], the outputs of `encode`, and
      `target_keys_0` and `target_values_0`, float32 [1, N, T, H], 0 before the first step; to `logits` of the next
      token, float32 [1, V], and keys and values of the target with those of the token.

    Args:
        model: a task model that writes text (`WRITES_TEXT`).
        source_length: S; T is the model's `max_target_length`.
    """

    def __init__(self, model: Task, source_length: int):
        self._model, self._source_length = model, source_length
        self._num_layers = model.decoder.stack(model.encoder).config.num_layers
        self._part = "memory" if model.decoder.crosses else "prefix"  # of what `Decoder.start` returns

    def functions(self) -> dict[str, Any]:
        """{"encode": concrete function, "decode": concrete function}."""
        encode_specs = [tf.TensorSpec([1, self._source_length], tf.int32, name) for name in INPUT_NAMES.values()]
        encode = tf.function(self._encode, autograph=False).get_concrete_function(*encode_specs)
        decode = tf.function(self._decode, autograph=False).get_concrete_function(**self._decode_specs())
        return {ENCODE: encode, DECODE: decode}

    def _names(self, side: str) -> list[tuple[str, str]]:
        return cache_names(side, self._num_layers)

    def _decode_specs(self) -> dict[str, tf.TensorSpec]:
        length = self._source_length
        specs = {
            TOKEN: tf.TensorSpec([1, 1], tf.int32, TOKEN),
            INDEX: tf.TensorSpec([1], tf.int32, INDEX),
            SOURCE_MASK: tf.TensorSpec([1, length], tf.int32, SOURCE_MASK),
        }
        decoder = self._model.decoder
        blocks = decoder.layers_of(self._model.encoder)
        readers = {SOURCE: decoder.crosses or blocks, TARGET: blocks}  # layers that read keys and values
        for side, rows in ((SOURCE, length), (TARGET, self._model.max_target_length)):
            for reader, pair in zip(readers[side], self._names(side), strict=True):
                attention = reader.attention  # a pruned layer has fewer heads than others
                for name in pair:
                    shape = [1, attention.num_heads, rows, attention.head_size]
                    specs[name] = tf.TensorSpec(shape, tf.float32, name)
        return specs

    def _encode(self, *rows: tf.Tensor) -> dict[str, tf.Tensor]:
        model = self._model
        inputs = model.with_source(dict(zip(INPUT_NAMES, rows, strict=True)))
        source = model.decoder.start(model.encoder, inputs)
        outputs = {SOURCE_MASK: tf.identity(source["source_mask"])}
        for names, pair in zip(self._names(SOURCE), source[self._part], strict=True):
            outputs |= zip(names, pair, strict=True)
        return outputs

    def _decode(self, token: tf.Tensor, index: tf.Tensor, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        model, length = self._model, self._model.max_target_length
        past = self._cache(TARGET, tensors)
        source = {
            "source_mask": tensors[SOURCE_MASK],
            "output_matrix": model.output_matrix(),
            self._part: self._cache(SOURCE, tensors),
        }
        visible = tf.concat([tf.range(length) < index, [True]], 0)[tf.newaxis, tf.newaxis]  # [1, 1, T + 1]
        empty = model.decoder.empty_cache(model.encoder, 1)
        logits, new = model.step(token, index[0], visible, source, [past, empty])  # [1, 1, V], [1, N, 1, H] each
        is_place = (tf.range(length) == index)[:, tf.newaxis]  # [T, 1]
        outputs = {LOGITS: logits[:, 0]}
        for names, old_pair, new_pair in zip(self._names(TARGET), past, new, strict=True):
            for name, old, added in zip(names, old_pair, new_pair, strict=True):
                outputs[name] = tf.where(is_place, added, old)  # [1, N, T, H]
        return outputs

    def _cache(self, side: str, tensors: dict[str, tf.Tensor]) -> list[tuple[tf.Tensor, tf.Tensor]]:
        return [(tensors[keys], tensors[values]) for keys, values in self._names(side)]
