"""The BERT encoder: pieces in, a vector a piece and a vector a row out."""

import functools

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.config import EncoderConfig
from bert_tf.modeling.layers.dense import dense
from bert_tf.modeling.layers.embeddings import Embeddings
from bert_tf.modeling.layers.pooling import gather_positions
from bert_tf.modeling.layers.transformer_block import TransformerBlock
from bert_tf.modeling.pretrained import Pretrained

# B batch, S sequence, E examples of a row, P positions, Q = P + E queries, D hidden


class BertEncoder(Pretrained, keras.Model):
    """BERT (Devlin et al. 2019) with learned positions, post-layer-norm blocks and a tanh pooler over [CLS].

    Called with a dict of int [B, S] tensors: `input_ids`, `input_mask` (1 = real), `segment_ids`, and for packed
    rows `position_ids` and `example_ids`, which give each example exactly what it gets alone. Returns
    {"sequence_output": [B, S, D], "pooled_output": [B, D]}, the latter [B, E, D] where `cls_positions` [B, E] says
    where the examples of a row begin; with `all_outputs=True` also "hidden_states", a list of [B, S, D] from the
    embeddings to the last block, and "attention_probs", a list of [B, N, S, S].

    Where a vector at each piece is not needed, the last block need not compute it: with `positions` [B, P]
    "sequence_output" is what stands there, [B, P, D]; with `cls_only=True` what stands at [CLS], [B, 1 or E, D].

    Arguments are the fields of `EncoderConfig`. Ids outside their tables raise `InputError` (see `id_checks.py`).
    """

    remat = False  # True: training computes the inside of blocks twice, to keep less of it in memory

    def __init__(self, name="encoder", dtype=None, trainable=True, **settings):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.config = config = EncoderConfig(**settings)
        self.embeddings = Embeddings(
            config.vocab_size,
            config.hidden_size,
            config.max_positions,
            config.type_vocab_size,
            config.layer_norm_epsilon,
            config.hidden_dropout,
            config.initializer_range,
            dtype=self.dtype_policy,
            name="embeddings",
        )
        self.blocks = [
            TransformerBlock(
                config.num_heads,
                config.hidden_size,
                config.intermediate_size,
                config.activation,
                config.layer_norm_epsilon,
                config.hidden_dropout,
                config.attention_dropout,
                config.initializer_range,
                dtype=self.dtype_policy,
                name=f"block_{i}",
            )
            for i in range(config.num_layers)
        ]
        self.pooler = dense(
            config.hidden_size, config.initializer_range, activation="tanh", dtype=self.dtype_policy, name="pooler"
        )
        self.build()

    def build(self, input_shape=None):
        self.embeddings.build()
        for block in self.blocks:
            block.build()
        self.pooler.build((None, self.config.hidden_size))

    def call(self, inputs, training=None, all_outputs=False, positions=None, cls_only=False):
        needed = functools.partial(_needed, inputs=inputs, positions=positions)
        mask, queries = attention_bias(inputs), None
        x = self.embeddings(
            inputs[features.INPUT_IDS],
            inputs[features.SEGMENT_IDS],
            inputs.get(features.POSITION_IDS),
            training=training,
        )  # [B, S, D]
        hidden_states, attention_probs = [x], []
        twice = self.remat and training and not all_outputs
        for block in self.blocks:
            if (cls_only or positions is not None) and block is self.blocks[-1]:
                mask, queries = attention_bias(inputs, needed), needed(x)  # [B, Q, D]
            if twice:
                x, probs = block.call_twice(x, mask, queries), None
            else:
                x, probs = block(x, mask, training=training, queries=queries)
            hidden_states.append(x)
            attention_probs.append(probs)
        if positions is not None:
            x, first = x[:, : ops.shape(positions)[1]], x[:, ops.shape(positions)[1] :]
        else:
            first = x if cls_only else _beginnings(x, inputs)
        pooled = self.pooler(first)  # [B, E, D]
        pooled = pooled if features.CLS_POSITIONS in inputs else pooled[:, 0]
        outputs = {features.SEQUENCE_OUTPUT: x, features.POOLED_OUTPUT: pooled}
        if all_outputs:
            outputs |= {"hidden_states": hidden_states, "attention_probs": attention_probs}
        return outputs


def _beginnings(sequence, inputs):
    """Of `sequence` [B, S, D] what stands where examples begin: [B, E, D]."""
    if features.CLS_POSITIONS in inputs:
        return gather_positions(sequence, inputs[features.CLS_POSITIONS])
    return ops.expand_dims(sequence[:, 0], 1)


def _needed(sequence, inputs, positions):
    """Of `sequence` [B, S, D] what stands at `positions`, if any, and where examples begin: [B, P + E, D]."""
    first = _beginnings(sequence, inputs)
    return first if positions is None else ops.concatenate([gather_positions(sequence, positions), first], 1)


def attention_bias(inputs, of=lambda ids: ids):
    """What is added to attention scores, float32: [B, 1, 1, S] from the mask, [B, 1, Q, S] for packed rows.

    `of` picks the queries' ids [B, Q, 1] from those of all pieces [B, S, 1].
    """
    if features.EXAMPLE_IDS in inputs:
        ids = ops.cast(ops.expand_dims(inputs[features.EXAMPLE_IDS], -1), "float32")  # [B, S, 1]
        visible = ops.equal(of(ids), ops.transpose(ids, (0, 2, 1)))  # [B, Q, S]
        visible = ops.expand_dims(visible, 1)
    else:
        visible = ops.expand_dims(ops.expand_dims(inputs[features.INPUT_MASK], 1), 1)  # [B, 1, 1, S]
    return (1.0 - ops.cast(visible, "float32")) * -3e4  # Keras casts what a layer is given, and float16 ends at 65504
