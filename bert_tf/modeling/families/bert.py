"""BERT (Devlin et al. 2019)."""

import dataclasses

import keras

from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.families.transformer_config import TransformerConfig
from bert_tf.weights.formats.base import (
    FamilyFormat,
    GoogleFormat,
    HuggingFaceFormat,
    KerasHubFormat,
    ModelGardenFormat,
)
from bert_tf.weights.weight_table import (
    TRANSPOSED,
    Row,
    expand,
    keras_dense,
    keras_norm,
    linear,
    norm,
    projections,
    torch_linear,
    torch_norm,
    unnumber_first,
)

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class BertConfig(TransformerConfig):
    """Sizes and numerics of a BERT encoder (Devlin et al. 2019, section 3; defaults are those of BERT base)."""

    type_vocab_size: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("type_vocab_size")


@keras.saving.register_keras_serializable("bert_tf")
class BertEncoder(TransformerEncoder):
    """BERT: learned positions, two segments, post-layer-norm blocks, a tanh pooler over [CLS].

    Arguments are the fields of `BertConfig`; inputs and outputs are those of `TransformerEncoder.call`.
    """

    family = "bert"
    config_class = BertConfig


def published_size(num_layers: int, hidden_size: int, num_heads: int | None = None) -> dict[str, int]:
    # Published sizes have heads of 64 and a feed-forward network of four times the hidden size.
    return {
        "num_layers": num_layers,
        "hidden_size": hidden_size,
        "num_heads": num_heads or hidden_size // 64,
        "intermediate_size": 4 * hidden_size,
    }


PRESETS = {
    "tiny": published_size(2, 128),
    "mini": published_size(4, 256),
    "small": published_size(4, 512),
    "medium": published_size(8, 512),
    "base": published_size(12, 768),
    "large": published_size(24, 1024),
    "minilm": published_size(6, 384, num_heads=12),
}

# ---- Weights: rows of (our name, their name), for each format; {i} is the number of a block

_TABLES = ("encoder/embeddings/token/embeddings", "encoder/embeddings/position/embeddings",
           "encoder/embeddings/segment/embeddings")  # fmt: skip


def embedding_tables(pattern: str, *names: str) -> list[Row]:
    """The embedding tables; `names` are those of token, position and segment (if there is one), "{}" in `pattern`."""
    return [Row(ours, pattern.format(name)) for ours, name in zip(_TABLES, names, strict=False)]


def model_folder_rows(config: TransformerConfig) -> list[Row]:
    """Paths in a Keras weights file.

    Keras numbers the variables of a layer, names the items of a list after their class, and keeps the layers whose
    attribute sorts after the word "layers" (here the pooler) in a group of that name.
    """
    block = "encoder/blocks/transformer_block_{i}"
    rows = embedding_tables(
        "encoder/embeddings/{}/vars/0", "token", "position", *["segment"] * bool(config.type_vocab_size)
    )
    if config.has_projection:
        rows += keras_dense("encoder/embeddings/projection", "encoder/embeddings/projection")
    if config.feature_size:
        rows += _feature_rows("encoder/feature_embeddings", len(config.feature_positions))
    rows += [
        *keras_norm("encoder/embeddings/norm", "encoder/embeddings/norm"),
        *keras_dense("encoder/block_{i}/attention/query", f"{block}/attention/query"),
        *keras_dense("encoder/block_{i}/attention/key", f"{block}/attention/key"),
        *keras_dense("encoder/block_{i}/attention/value", f"{block}/attention/value"),
        *keras_dense("encoder/block_{i}/attention/output", f"{block}/attention/output_dense"),
        *keras_norm("encoder/block_{i}/attention_norm", f"{block}/attention_norm"),
        *keras_dense("encoder/block_{i}/intermediate", f"{block}/intermediate"),
        *keras_dense("encoder/block_{i}/output", f"{block}/output_dense"),
        *keras_norm("encoder/block_{i}/output_norm", f"{block}/output_norm"),
        *keras_dense("encoder/pooler", "encoder/layers/dense"),
    ]
    return unnumber_first(expand(rows, config.num_groups or config.num_layers), "transformer_block")


def _feature_rows(layer: str, axes: int) -> list[Row]:
    """The rows of `FeatureEmbeddings` with `axes` tables of positions, in a Keras weights file."""
    tables = [f"{layer}/position_{axis}" for axis in range(axes)] + [f"{layer}/type"]
    rows = [*keras_dense(f"{layer}/projection", f"{layer}/projection"), *keras_norm(f"{layer}/norm", f"{layer}/norm")]
    return rows + [Row(f"{table}/embeddings", f"{table}/vars/0") for table in tables]


def google_dense(ours: str, theirs: str) -> list[Row]:
    """The rows of a dense layer in the files of google-research's projects."""
    return linear(ours, f"{theirs}/")


def google_norm(ours: str, theirs: str, name: str = "LayerNorm") -> list[Row]:
    """The rows of a layer norm in the files of google-research's projects."""
    return norm(ours, f"{theirs}/{name}/")


def google_encoder_rows(config: TransformerConfig, module: str) -> list[Row]:
    """Names of the variables of an encoder that is built as BertModel of google-research/bert, without a pooler."""
    layer = module + "/encoder/layer_{i}/"
    rows = [
        *embedding_tables(module + "/embeddings/{}_embeddings", "word", "position", "token_type"),
        *google_norm("encoder/embeddings/norm", f"{module}/embeddings"),
        *google_dense("encoder/block_{i}/attention/query", layer + "attention/self/query"),
        *google_dense("encoder/block_{i}/attention/key", layer + "attention/self/key"),
        *google_dense("encoder/block_{i}/attention/value", layer + "attention/self/value"),
        *google_dense("encoder/block_{i}/attention/output", layer + "attention/output/dense"),
        *google_norm("encoder/block_{i}/attention_norm", layer + "attention/output"),
        *google_dense("encoder/block_{i}/intermediate", layer + "intermediate/dense"),
        *google_dense("encoder/block_{i}/output", layer + "output/dense"),
        *google_norm("encoder/block_{i}/output_norm", layer + "output"),
    ]
    return expand(rows, config.num_layers)


def _google_output(ours, theirs):
    return linear(ours, theirs, kernel="output_weights", bias="output_bias", transform=TRANSPOSED)


# The pooler and the heads of google-research/bert's and google-research/albert's scripts.
GOOGLE_HEADS = [
    *google_dense("encoder/pooler", "bert/pooler/dense"),
    *google_dense("masked_lm/transform", "cls/predictions/transform/dense"),
    *google_norm("masked_lm/norm", "cls/predictions/transform"),
    Row("masked_lm/bias", "cls/predictions/output_bias"),
    *_google_output("next_sentence", "cls/seq_relationship/"),
    *_google_output("classifier", ""),  # run_classifier.py
    *_google_output("answer_span", "cls/squad/"),  # run_squad.py
]


def _google_rows(config: BertConfig) -> list[Row]:
    return google_encoder_rows(config, "bert") + GOOGLE_HEADS


def huggingface_encoder_rows(config: TransformerConfig, module: str) -> list[Row]:
    """Names of the parameters of an encoder of transformers that is built as its BertModel, without a pooler."""
    layer = module + ".encoder.layer.{i}."
    rows = [
        *embedding_tables(module + ".embeddings.{}_embeddings.weight", "word", "position", "token_type"),
        *torch_norm("encoder/embeddings/norm", f"{module}.embeddings.LayerNorm"),
        *torch_linear("encoder/block_{i}/attention/query", layer + "attention.self.query"),
        *torch_linear("encoder/block_{i}/attention/key", layer + "attention.self.key"),
        *torch_linear("encoder/block_{i}/attention/value", layer + "attention.self.value"),
        *torch_linear("encoder/block_{i}/attention/output", layer + "attention.output.dense"),
        *torch_norm("encoder/block_{i}/attention_norm", layer + "attention.output.LayerNorm"),
        *torch_linear("encoder/block_{i}/intermediate", layer + "intermediate.dense"),
        *torch_linear("encoder/block_{i}/output", layer + "output.dense"),
        *torch_norm("encoder/block_{i}/output_norm", layer + "output.LayerNorm"),
    ]
    return expand(rows, config.num_layers)


def _huggingface_rows(config: BertConfig) -> list[Row]:
    """Names of the parameters of transformers' BertModel and the classes with its heads."""
    return [
        *huggingface_encoder_rows(config, "bert"),
        *torch_linear("encoder/pooler", "bert.pooler.dense"),
        *torch_linear("masked_lm/transform", "cls.predictions.transform.dense"),
        *torch_norm("masked_lm/norm", "cls.predictions.transform.LayerNorm"),
        Row("masked_lm/bias", "cls.predictions.bias"),
        *torch_linear("next_sentence", "cls.seq_relationship"),
        *torch_linear("classifier", "classifier"),
        *torch_linear("answer_span", "qa_outputs"),
    ]


def keras_hub_encoder_rows(config: TransformerConfig, has_segments: bool = True) -> list[Row]:
    """Paths in the weights file of a backbone of keras-hub, without a projection and a pooler.

    Backbones without segments have one layer for the embeddings of tokens and positions.
    """
    layer = "layers/transformer_encoder_{i}/"
    attention = layer + "_self_attention_layer/{name}_dense/vars/"
    if has_segments:
        tables = embedding_tables("layers/{}embedding/vars/0", "reversible_", "position_", "")
    else:
        tables = embedding_tables("layers/token_and_position_embedding/{}_embedding/vars/0", "token", "position")
    rows = [
        *tables,
        *keras_norm("encoder/embeddings/norm", "layers/layer_normalization"),
        *projections("encoder/block_{i}/attention", attention, config.num_heads, kernel="0", bias="1"),
        *keras_norm("encoder/block_{i}/attention_norm", layer + "_self_attention_layer_norm"),
        *keras_dense("encoder/block_{i}/intermediate", layer + "_feedforward_intermediate_dense"),
        *keras_dense("encoder/block_{i}/output", layer + "_feedforward_output_dense"),
        *keras_norm("encoder/block_{i}/output_norm", layer + "_feedforward_layer_norm"),
    ]
    return unnumber_first(expand(rows, config.num_groups or config.num_layers), "transformer_encoder")


def _keras_hub_rows(config: BertConfig) -> list[Row]:
    return [*keras_hub_encoder_rows(config), *keras_dense("encoder/pooler", "layers/dense")]


KERAS_HUB_MASKED_LM = [
    *keras_dense("masked_lm/transform", "layers/masked_lm_head/_intermediate_dense"),
    *keras_norm("masked_lm/norm", "layers/masked_lm_head/_intermediate_layer_norm"),
    Row("masked_lm/bias", "layers/masked_lm_head/vars/0"),
]
# Where the dense layer before the classifier is of the head, and not of the backbone.
KERAS_HUB_DEEP_CLASSIFIER = [
    *keras_dense("classifier", "layers/dense_1"),
    *keras_dense("encoder/pooler", "layers/dense"),
]


_GARDEN_BLOCK = "encoder/_transformer_layers/{i}/"


def _model_garden_rows(config: BertConfig) -> list[Row]:
    """Paths of objects in a checkpoint of Model Garden's BertPretrainerV2 (its `checkpoint_items`)."""

    def dense(ours, theirs):
        return linear(ours, f"{theirs}/")

    def layer_norm(ours, theirs):
        return norm(ours, f"{theirs}/")

    attention = _GARDEN_BLOCK + "_attention_layer/_{name}_dense/"
    rows = [
        *embedding_tables("encoder/_{}embedding_layer/embeddings", "", "position_", "type_"),
        *layer_norm("encoder/embeddings/norm", "encoder/_embedding_norm_layer"),
        *projections("encoder/block_{i}/attention", attention, config.num_heads),
        *layer_norm("encoder/block_{i}/attention_norm", _GARDEN_BLOCK + "_attention_layer_norm"),
        *dense("encoder/block_{i}/intermediate", _GARDEN_BLOCK + "_intermediate_dense"),
        *dense("encoder/block_{i}/output", _GARDEN_BLOCK + "_output_dense"),
        *layer_norm("encoder/block_{i}/output_norm", _GARDEN_BLOCK + "_output_layer_norm"),
        *dense("encoder/pooler", "encoder/_pooler_layer"),
        *dense("masked_lm/transform", "masked_lm/dense"),
        *layer_norm("masked_lm/norm", "masked_lm/layer_norm"),
        Row("masked_lm/bias", "masked_lm/bias"),
        *dense("next_sentence_pooler", "next_sentence.pooler_dense"),
        *dense("next_sentence", "next_sentence.out_proj"),  # not among their `checkpoint_items`
    ]
    return expand(rows, config.num_layers)


# ---- Names of settings in each format

# Their "gelu" is exact; all their tanh forms are Google's.
HUGGINGFACE_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_python": "gelu",
    "silu": "silu",
    "swish": "silu",
}
GOOGLE_FIELDS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "activation": "hidden_act",
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "initializer_range": "initializer_range",
}
HUGGINGFACE_FIELDS = GOOGLE_FIELDS | {"layer_norm_epsilon": "layer_norm_eps"}
_GARDEN_FIELDS = GOOGLE_FIELDS | {  # official/nlp/configs/encoders.py, BertEncoderConfig
    "num_layers": "num_layers",
    "activation": "hidden_activation",
    "hidden_dropout": "dropout_rate",
    "attention_dropout": "attention_dropout_rate",
}
KERAS_HUB_FIELDS = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "num_layers": "num_layers",
    "num_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_positions": "max_sequence_length",
    "hidden_dropout": "dropout",
}

# modeling.py: a linear one is null
GOOGLE_ACTIVATIONS = {"gelu": "gelu_tanh", None: "linear", "": "linear"}
GOOGLE_FIXED = {"layer_norm_epsilon": 1e-12}  # of tf.contrib.layers.layer_norm, which their code calls
_GOOGLE = GoogleFormat(
    rows=_google_rows,
    fields=GOOGLE_FIELDS,
    activations=GOOGLE_ACTIVATIONS,
    fixed=GOOGLE_FIXED,
    marker="bert/encoder/layer_",
    config="bert_config.json",
    prefix="bert_model.ckpt",
)
_HUGGINGFACE = HuggingFaceFormat(
    rows=_huggingface_rows,
    fields=HUGGINGFACE_FIELDS,
    activations=HUGGINGFACE_ACTIVATIONS,
    model_type="bert",
    class_prefix="Bert",
    has_decoder=True,
    module="bert",
    tied={
        "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    },
    pretraining={
        "ForPreTraining": ("masked_lm", "next_sentence"),
        "ForMaskedLM": ("masked_lm",),
        "ForNextSentencePrediction": ("next_sentence",),
    },
    constants={"pad_token_id": 0},
)
_KERAS_HUB = KerasHubFormat(
    rows=_keras_hub_rows,
    fields=KERAS_HUB_FIELDS | {"type_vocab_size": "num_segments"},
    fixed={"activation": "gelu_tanh", "layer_norm_epsilon": 1e-12},  # computed by `BertBackbone`
    module="bert",
    class_prefix="Bert",
    similar_activations=("gelu", "gelu_tanh"),
    heads={
        "TextClassifier": keras_dense("classifier", "layers/dense"),
        "MaskedLM": KERAS_HUB_MASKED_LM,
    },
    # The head of `BertMaskedLM` computes with these, whatever the backbone does.
    masked_lm={"masked_lm_activation": "gelu", "masked_lm_epsilon": 1e-5},
)
_MODEL_GARDEN = ModelGardenFormat(
    rows=_model_garden_rows,
    fields=_GARDEN_FIELDS,
    # Their own activation of this name is the tanh form; tf_keras's "gelu", which a string given to the masked LM
    # head means, is exact.
    activations={"gelu": "gelu_tanh"},
    fixed={"layer_norm_epsilon": 1e-12},
    defaults={"hidden_activation": "gelu"},
    token_table="encoder/_embedding_layer/embeddings",
    empty=("encoder/_embedding_dropout", "encoder/_attention_mask_layer", "encoder/_config/initializer/config"),
    empty_in_block=tuple(
        _GARDEN_BLOCK + name
        for name in (
            "_attention_layer/_softmax",
            "_attention_layer/_dropout_layer",
            "_attention_dropout",
            "_intermediate_activation_layer",
            "_inner_dropout_layer",
            "_output_dropout",
        )
    ),
)

FAMILY = EncoderFamily(
    name="bert",
    title="BERT",
    config=BertConfig,
    encoder=BertEncoder,
    tokenizer_place="bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "google": _GOOGLE,
        "huggingface": _HUGGINGFACE,
        "keras_hub": _KERAS_HUB,
        "model_garden": _MODEL_GARDEN,
    },
    presets=PRESETS,
)
