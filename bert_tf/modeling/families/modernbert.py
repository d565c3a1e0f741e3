"""ModernBERT (Warner et al. 2024): norms first, rotary positions, gated feed-forward, and attention in a window."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from bert_tf.core import features
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import HUGGINGFACE_ACTIVATIONS
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.families.transformer_config import TransformerConfig
from bert_tf.modeling.layers.activations import get_activation
from bert_tf.modeling.layers.attention_mask import attention_bias, score_bias
from bert_tf.modeling.layers.dense import Embedding, dense
from bert_tf.modeling.layers.dropout import Dropout
from bert_tf.modeling.layers.id_checks import check_ids, check_length
from bert_tf.modeling.layers.initializers import truncated_normal
from bert_tf.modeling.layers.local_window import window_bias
from bert_tf.modeling.layers.pre_norm_block import (
    BIAS,
    CHUNK_BIAS,
    KEY_ROTATION,
    QUERY_ROTATION,
    SEES,
    PreNormBlock,
    norm_without_bias,
)
from bert_tf.modeling.layers.rotary import rotations
from bert_tf.weights.encoder_fields import member
from bert_tf.weights.formats.base import FamilyFormat, HuggingFaceFormat
from bert_tf.weights.weight_table import TRANSPOSED, Row, expand, torch_linear, unnumber_first

# B batch, S sequence, Q queries, H head size, D hidden

_LONG = 256  # tokens; attention of shorter sequences takes as long in chunks as whole

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class ModernBertConfig(TransformerConfig):
    """Sizes and numerics of a ModernBERT encoder; defaults are those of ModernBERT base.

    `local_window` tokens are seen by the local layers, half of them on each side; every `global_every`-th layer, the
    first among them, sees all. `hidden_dropout` is that inside of the feed-forward networks and before heads.
    """

    vocab_size: int = 50368
    num_layers: int = 22
    max_positions: int = 8192
    intermediate_size: int = 1152
    layer_norm_epsilon: float = 1e-5
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    embedding_dropout: float = 0.0
    head_activation: str = "gelu"
    local_window: int = 128
    global_every: int = 3
    global_theta: float = 160_000.0
    local_theta: float = 10_000.0
    padding_id: int = 0  # that of published models is 50283

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("global_every", "local_window")
        if self.local_window < 2:
            raise ConfigError(f"Received: local_window={self.local_window}. It must be at least 2.")
        if not min(self.global_theta, self.local_theta) > 0:
            raise ConfigError("Received: a rotary base that is not above 0 (global_theta, local_theta).")
        if self.hidden_size // self.num_heads % 2:
            raise ConfigError(f"Received: heads of {self.hidden_size // self.num_heads}. Rotary heads are even.")

    def is_global(self, i: int) -> bool:
        """Whether layer `i` sees all tokens."""
        return i % self.global_every == 0

    def layer_kind(self, i: int) -> Any:
        """As `TransformerConfig.layer_kind`: the first layer has no norm before its attention."""
        return i == 0, self.is_global(i)

    @property
    def reach(self) -> int:
        """How many places away a local layer sees."""
        return self.local_window // 2


@keras.saving.register_keras_serializable("bert_tf")
class ModernBertEncoder(TransformerEncoder):
    """ModernBERT. Arguments are the fields of `ModernBertConfig`; inputs and outputs as `TransformerEncoder.call`'s.

    Segment ids are not read. The pooler (a dense layer, an activation and a norm) is the head that heads on tokens
    share, so that "pooled_output" is its result for [CLS].
    """

    family = "modernbert"
    config_class = ModernBertConfig
    has_token_head = True
    takes_features = False  # positions are rotations, and most layers see their neighbours alone

    def make_embeddings(self, shared: Any = None) -> keras.layers.Layer:
        """As `TransformerEncoder.make_embeddings`, of its own."""
        del shared  # needs a projection, which the family does not have
        config = self.config
        return ModernBertEmbeddings(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            max_positions=config.max_positions,
            layer_norm_epsilon=config.layer_norm_epsilon,
            dropout=config.embedding_dropout,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="embeddings",
        )

    def make_block(self, i: int) -> keras.layers.Layer:
        """As `TransformerEncoder.make_block`."""
        chunk = None if self.config.is_global(i) else self.config.reach
        return PreNormBlock(normalizes_first=i > 0, chunk=chunk, **self.block_settings(i))

    def make_final_norm(self) -> keras.layers.Layer:
        """As `TransformerEncoder.make_final_norm`."""
        return norm_without_bias(self.config.layer_norm_epsilon, self.dtype_policy, "final_norm")

    def make_pooler(self) -> keras.layers.Layer:
        """As `TransformerEncoder.make_pooler`."""
        config = self.config
        return PredictionHead(
            hidden_size=config.hidden_size,
            activation=config.head_activation,
            layer_norm_epsilon=config.layer_norm_epsilon,
            initializer_range=config.initializer_range,
            dtype=self.dtype_policy,
            name="pooler",
        )

    def attention_contexts(self, inputs: Mapping[str, Any], all_outputs: bool) -> list[Any]:
        """As `TransformerEncoder.attention_contexts`; local layers compute in chunks where sequences are long."""
        length = inputs[features.INPUT_IDS].shape[1]
        reach = self.config.reach
        in_chunks = not all_outputs and not (isinstance(length, int) and length <= max(_LONG, 4 * reach))
        of_all = self._context(inputs, True)
        local = self._context(inputs, False, in_chunks=in_chunks)
        return [of_all if self.config.is_global(i) else local for i in range(self.config.num_layers)]

    def last_context(self, inputs: Mapping[str, Any], select_queries: Callable) -> Any:
        """As `TransformerEncoder.last_context`."""
        return self._context(inputs, self.config.is_global(self.config.num_layers - 1), select_queries)

    def _context(self, inputs, is_global, select_queries=None, in_chunks=False):
        config = self.config
        positions = inputs.get(features.POSITION_IDS)  # [B, S]
        if positions is None:
            positions = ops.arange(ops.shape(inputs[features.INPUT_IDS])[1])  # [S]
        theta = config.global_theta if is_global else config.local_theta
        turn = functools.partial(rotations, head_size=config.head_size, theta=theta)
        context = {KEY_ROTATION: turn(positions), QUERY_ROTATION: turn(positions)}
        if select_queries:
            context[QUERY_ROTATION] = turn(_selected(inputs, positions, select_queries))
        if in_chunks:
            ids = inputs.get(features.EXAMPLE_IDS, inputs[features.INPUT_MASK])
            return context | {CHUNK_BIAS: window_bias(ids, config.reach, config.reach)}
        bias = attention_bias(inputs, select_queries or (lambda ids: ids))  # [B, 1, 1 or Q, S]
        if not is_global:
            places = ops.arange(ops.shape(inputs[features.INPUT_IDS])[1])  # [S] in the row, packed or not
            of_queries = places[None] if select_queries is None else _selected(inputs, places, select_queries)
            distance = ops.abs(ops.expand_dims(of_queries, -1) - places)  # [1 or B, Q, S]
            bias = ops.minimum(bias, score_bias(ops.expand_dims(distance <= config.reach, 1)))  # [B, 1, Q, S]
            # Padding far from every token; its vectors are not read, but equal those of transformers.
            context[SEES] = ops.cast(ops.any(ops.equal(bias, 0.0), -1, keepdims=True), self.compute_dtype)
        return context | {BIAS: bias}


@keras.saving.register_keras_serializable("bert_tf")
class ModernBertEmbeddings(keras.layers.Layer):
    """The token embedding, normalised: int [B, S] to [B, S, D]."""

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        max_positions: int,
        layer_norm_epsilon: float,
        dropout: float,
        initializer_range: float,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.max_positions = max_positions
        initializer = truncated_normal(initializer_range)
        self.token = Embedding(vocab_size, hidden_size, initializer, dtype=policy, name="token")
        self.norm = norm_without_bias(layer_norm_epsilon, policy, "norm")
        self.dropout = Dropout(dropout, dtype=policy)

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables; their shapes do not depend on the inputs."""
        self.token.build()
        self.norm.build((None, None, self.hidden_size))

    def call(self, input_ids: Any, segment_ids: Any, position_ids: Any = None, training: bool | None = None) -> Any:
        """[B, S, D]; segments and positions are not embedded."""
        check_length(input_ids, position_ids, self.max_positions)
        check_ids("input_ids", input_ids, self.vocab_size)
        return self.dropout(self.norm(self.token(input_ids)), training=training)


@keras.saving.register_keras_serializable("bert_tf")
class PredictionHead(keras.layers.Layer):
    """A dense layer without bias, an activation and a norm: [..., D] to [..., D]."""

    def __init__(
        self, hidden_size: int, activation: str, layer_norm_epsilon: float, initializer_range: float, **kwargs: Any
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.hidden_size = hidden_size
        self.dense = dense(hidden_size, initializer_range, use_bias=False, dtype=policy, name="dense")
        self.activation = get_activation(activation)
        self.norm = norm_without_bias(layer_norm_epsilon, policy, "norm")

    def build(self, input_shape: Any = None) -> None:
        """Makes the variables."""
        self.dense.build((None, self.hidden_size))
        self.norm.build((None, self.hidden_size))

    def call(self, x: Any) -> Any:
        """[..., D] to [..., D]."""
        return self.norm(self.activation(self.dense(x)))


def _selected(inputs, values, select_queries):
    """Selects from integers [S] or [B, S] those at the queries: int32 [B, Q]."""
    values = ops.cast(values, "float32") + ops.zeros(ops.shape(inputs[features.INPUT_IDS]))  # [B, S]
    return ops.cast(select_queries(ops.expand_dims(values, -1))[..., 0], "int32")


# ---- Weights


def _model_folder_rows(config: ModernBertConfig) -> list[Row]:
    """Paths in a Keras weights file (see `model_folder_rows` in bert.py)."""
    block = "encoder/blocks/pre_norm_block_{i}"
    names = {f"attention/{name}": f"attention/{name}" for name in ("query", "key", "value")}
    names |= {"attention/output": "attention/output_dense", "intermediate": "intermediate", "gate": "gate"}
    names |= {"output": "output_dense"}
    rows = [
        Row("encoder/embeddings/token/embeddings", "encoder/embeddings/token/vars/0"),
        Row("encoder/embeddings/norm/gamma", "encoder/embeddings/norm/vars/0"),
        Row("encoder/block_{i}/attention_norm/gamma", f"{block}/attention_norm/vars/0"),
        Row("encoder/block_{i}/output_norm/gamma", f"{block}/output_norm/vars/0"),
        Row("encoder/final_norm/gamma", "encoder/final_norm/vars/0"),
        Row("encoder/pooler/dense/kernel", "encoder/layers/prediction_head/dense/vars/0"),
        Row("encoder/pooler/norm/gamma", "encoder/layers/prediction_head/norm/vars/0"),
    ]
    for ours, theirs in names.items():
        rows.append(Row(f"encoder/block_{{i}}/{ours}/kernel", f"{block}/{theirs}/vars/0"))
    return unnumber_first(_without_first_norm(expand(rows, config.num_layers)), "pre_norm_block")


def _huggingface_rows(config: ModernBertConfig) -> list[Row]:
    """Names of the parameters of transformers' ModernBertModel and the classes with its heads."""
    layer = "model.layers.{i}."
    rows = [
        Row("encoder/embeddings/token/embeddings", "model.embeddings.tok_embeddings.weight"),
        Row("encoder/embeddings/norm/gamma", "model.embeddings.norm.weight"),
        Row("encoder/block_{i}/attention_norm/gamma", layer + "attn_norm.weight"),
        Row("encoder/block_{i}/attention/output/kernel", layer + "attn.Wo.weight", TRANSPOSED),
        Row("encoder/block_{i}/output_norm/gamma", layer + "mlp_norm.weight"),
        Row("encoder/block_{i}/intermediate/kernel", layer + "mlp.Wi.weight", TRANSPOSED, (0, 2)),
        Row("encoder/block_{i}/gate/kernel", layer + "mlp.Wi.weight", TRANSPOSED, (1, 2)),
        Row("encoder/block_{i}/output/kernel", layer + "mlp.Wo.weight", TRANSPOSED),
        Row("encoder/final_norm/gamma", "model.final_norm.weight"),
        Row("encoder/pooler/dense/kernel", "head.dense.weight", TRANSPOSED),
        Row("encoder/pooler/norm/gamma", "head.norm.weight"),
        Row("masked_lm/bias", "decoder.bias"),
        *torch_linear("classifier", "classifier"),
    ]
    for number, name in enumerate(("query", "key", "value")):
        ours = f"encoder/block_{{i}}/attention/{name}/kernel"
        rows.append(Row(ours, layer + "attn.Wqkv.weight", TRANSPOSED, (number, 3)))
    return _without_first_norm(expand(rows, config.num_layers))


def _without_first_norm(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.ours != "encoder/block_0/attention_norm/gamma"]


# Their settings that change what is computed, with the only values that this encoder computes.
_COMPUTED = {"attention_bias": False, "mlp_bias": False, "norm_bias": False, "classifier_bias": False}
_LAYER_TYPES = ("sliding_attention", "full_attention")


def _from_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Their settings with the rotary bases and the rhythm of layers as one value each."""
    for name, value in _COMPUTED.items():
        if settings.get(name, value) != value:
            raise InputError(f"This ModernBERT has {name}={settings[name]}. Only {value} can be read.")
    settings = dict(settings)
    rotary = member(settings, "rope_parameters", {}, "config.json")
    for kind, name in (("full_attention", "global_rope_theta"), ("sliding_attention", "local_rope_theta")):
        parameters = member(rotary, kind, {}, "config.json")
        if parameters.get("rope_type", "default") != "default":
            raise InputError(f"This ModernBERT has rope_type={parameters['rope_type']!r}. Only 'default' can be read.")
        if "rope_theta" in parameters:
            settings[name] = float(parameters["rope_theta"])
    if settings.get("pad_token_id") is None:
        settings["pad_token_id"] = 50283  # the default of transformers
    types = member(settings, "layer_types", [], "config.json")
    every = settings.setdefault("global_attn_every_n_layers", 3)
    if types and isinstance(every, int) and every > 0:
        expected = [_LAYER_TYPES[i % every == 0] for i in range(len(types))]
        if types != expected:
            raise InputError(f"This ModernBERT has layer_types={types}. Only every n-th layer may be global.")
    return settings


def _to_settings(settings: dict[str, Any]) -> dict[str, Any]:
    thetas = settings["local_rope_theta"], settings["global_rope_theta"]
    rotary = {}
    for kind, theta in zip(_LAYER_TYPES, thetas, strict=True):
        rotary[kind] = {"rope_theta": theta, "rope_type": "default"}
    every = settings["global_attn_every_n_layers"]
    types = [_LAYER_TYPES[i % every == 0] for i in range(settings["num_hidden_layers"])]
    return settings | _COMPUTED | {"rope_parameters": rotary, "layer_types": types}


_HUGGINGFACE = HuggingFaceFormat(
    rows=_huggingface_rows,
    fields={
        "vocab_size": "vocab_size",
        "hidden_size": "hidden_size",
        "num_layers": "num_hidden_layers",
        "num_heads": "num_attention_heads",
        "intermediate_size": "intermediate_size",
        "max_positions": "max_position_embeddings",
        "activation": "hidden_activation",
        "head_activation": "classifier_activation",
        "hidden_dropout": "mlp_dropout",
        "attention_dropout": "attention_dropout",
        "embedding_dropout": "embedding_dropout",
        "initializer_range": "initializer_range",
        "layer_norm_epsilon": "norm_eps",
        "local_window": "local_attention",
        "global_every": "global_attn_every_n_layers",
        "global_theta": "global_rope_theta",
        "local_theta": "local_rope_theta",
        "padding_id": "pad_token_id",
    },
    activations=HUGGINGFACE_ACTIVATIONS,
    model_type="modernbert",
    class_prefix="ModernBert",
    module="model",
    tied={"decoder.weight": "model.embeddings.tok_embeddings.weight"},
    class_rows={"ForQuestionAnswering": torch_linear("answer_span", "classifier")},
    pretraining={"ForMaskedLM": ("masked_lm",)},
    constants={"decoder_bias": True},
    pooling="classifier_pooling",
    poolings=("cls", "mean"),
    token_settings={
        "bos_token_id": "cls_token",
        "cls_token_id": "cls_token",
        "eos_token_id": "sep_token",
        "sep_token_id": "sep_token",
    },
    from_settings=_from_settings,
    to_settings=_to_settings,
)

FAMILY = EncoderFamily(
    name="modernbert",
    title="ModernBERT",
    config=ModernBertConfig,
    encoder=ModernBertEncoder,
    tokenizer_place="bert_tf.text.tokenizers.byte_bpe:BytePairTokenizer",
    formats={"bert_tf": FamilyFormat(rows=_model_folder_rows), "huggingface": _HUGGINGFACE},
    presets={
        "modernbert_base": {},
        "modernbert_large": {"num_layers": 28, "hidden_size": 1024, "num_heads": 16, "intermediate_size": 2624},
    },
)
