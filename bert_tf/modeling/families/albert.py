"""ALBERT (Lan et al. 2020): BERT with a narrow embedding and one block whose weights all layers share."""

import dataclasses

import keras

from bert_tf.core.errors import ConfigError, InputError
from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import (
    GOOGLE_ACTIVATIONS,
    GOOGLE_FIELDS,
    GOOGLE_FIXED,
    GOOGLE_HEADS,
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_FIELDS,
    KERAS_HUB_FIELDS,
    KERAS_HUB_MASKED_LM,
    BertConfig,
    embedding_tables,
    google_dense,
    google_norm,
    keras_hub_encoder_rows,
    model_folder_rows,
    published_size,
)
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.text.tokenizers import sentencepiece_model
from bert_tf.weights.formats.base import FamilyFormat, GoogleFormat, HuggingFaceFormat, KerasHubFormat
from bert_tf.weights.weight_table import Row, expand, keras_dense, torch_linear, torch_norm

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class AlbertConfig(BertConfig):
    """Sizes and numerics of an ALBERT encoder; defaults are those of ALBERT base, version 2."""

    vocab_size: int = 30000
    hidden_dropout: float = 0.0
    attention_dropout: float = 0.0
    activation: str = "gelu_tanh"
    embedding_size: int = 128  # type: ignore[assignment]
    num_groups: int = 1  # type: ignore[assignment]

    has_projection = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("embedding_size", "num_groups")
        if self.num_layers % self.num_groups:
            raise ConfigError(
                f"Received: num_layers={self.num_layers}, num_groups={self.num_groups}. "
                "num_layers must be a multiple of num_groups."
            )


@keras.saving.register_keras_serializable("bert_tf")
class AlbertEncoder(TransformerEncoder):
    """ALBERT: a projection after the embeddings, then post-layer-norm layers that share weights in groups.

    Arguments are the fields of `AlbertConfig`; inputs and outputs are those of `TransformerEncoder.call`. `blocks` has
    one block per group.
    """

    family = "albert"
    config_class = AlbertConfig


# ---- Weights


def _huggingface_rows(config: AlbertConfig) -> list[Row]:
    """Names of the parameters of transformers' AlbertModel and the classes with its heads."""
    layer = "albert.encoder.albert_layer_groups.{i}.albert_layers.0."
    embeddings = "albert.embeddings."
    rows = [
        *embedding_tables(embeddings + "{}_embeddings.weight", "word", "position", "token_type"),
        *torch_norm("encoder/embeddings/norm", embeddings + "LayerNorm"),
        *torch_linear("encoder/embeddings/projection", "albert.encoder.embedding_hidden_mapping_in"),
        *torch_linear("encoder/block_{i}/attention/query", layer + "attention.query"),
        *torch_linear("encoder/block_{i}/attention/key", layer + "attention.key"),
        *torch_linear("encoder/block_{i}/attention/value", layer + "attention.value"),
        *torch_linear("encoder/block_{i}/attention/output", layer + "attention.dense"),
        *torch_norm("encoder/block_{i}/attention_norm", layer + "attention.LayerNorm"),
        *torch_linear("encoder/block_{i}/intermediate", layer + "ffn"),
        *torch_linear("encoder/block_{i}/output", layer + "ffn_output"),
        *torch_norm("encoder/block_{i}/output_norm", layer + "full_layer_layer_norm"),
        *torch_linear("encoder/pooler", "albert.pooler"),
        *torch_linear("masked_lm/transform", "predictions.dense"),
        *torch_norm("masked_lm/norm", "predictions.LayerNorm"),
        Row("masked_lm/bias", "predictions.bias"),
        *torch_linear("next_sentence", "sop_classifier.classifier"),  # sentence order
        *torch_linear("classifier", "classifier"),
        *torch_linear("answer_span", "qa_outputs"),
    ]
    return expand(rows, config.num_groups)


def _google_rows(config: AlbertConfig) -> list[Row]:
    """Names of the variables of google-research/albert, modeling.py, and of its scripts for the heads."""
    layer = "bert/encoder/transformer/group_{i}/inner_group_0"
    rows = [
        *embedding_tables("bert/embeddings/{}_embeddings", "word", "position", "token_type"),
        *google_norm("encoder/embeddings/norm", "bert/embeddings"),
        *google_dense("encoder/embeddings/projection", "bert/encoder/embedding_hidden_mapping_in"),
        *google_dense("encoder/block_{i}/attention/query", layer + "/attention_1/self/query"),
        *google_dense("encoder/block_{i}/attention/key", layer + "/attention_1/self/key"),
        *google_dense("encoder/block_{i}/attention/value", layer + "/attention_1/self/value"),
        *google_dense("encoder/block_{i}/attention/output", layer + "/attention_1/output/dense"),
        *google_norm("encoder/block_{i}/attention_norm", layer),
        *google_dense("encoder/block_{i}/intermediate", layer + "/ffn_1/intermediate/dense"),
        *google_dense("encoder/block_{i}/output", layer + "/ffn_1/intermediate/output/dense"),
        *google_norm("encoder/block_{i}/output_norm", layer, "LayerNorm_1"),
    ]
    return expand(rows, config.num_groups) + GOOGLE_HEADS


def _keras_hub_rows(config: AlbertConfig) -> list[Row]:
    """Paths in the weights file of keras-hub's AlbertBackbone."""
    return [
        *keras_hub_encoder_rows(config),
        *keras_dense("encoder/embeddings/projection", "layers/dense"),
        *keras_dense("encoder/pooler", "layers/dense_1"),
    ]


def _from_settings(settings: dict) -> dict:
    for name in ("inner_group_num", "num_inner_repetitions"):
        if settings.get(name, 1) != 1:
            raise InputError(
                f"This ALBERT has {name}={settings[name]}. Only 1, that of all published models, can be read."
            )
    return settings


_HUGGINGFACE = HuggingFaceFormat(
    rows=_huggingface_rows,
    fields=HUGGINGFACE_FIELDS | {"embedding_size": "embedding_size", "num_groups": "num_hidden_groups"},
    activations=HUGGINGFACE_ACTIVATIONS,
    model_type="albert",
    class_prefix="Albert",
    module="albert",
    tied={
        "predictions.decoder.weight": "albert.embeddings.word_embeddings.weight",
        "predictions.decoder.bias": "predictions.bias",
    },
    pretraining={"ForPreTraining": ("masked_lm", "next_sentence"), "ForMaskedLM": ("masked_lm",)},
    constants={"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "inner_group_num": 1},
    from_settings=_from_settings,
)
_GOOGLE = GoogleFormat(
    rows=_google_rows,
    fields=GOOGLE_FIELDS | {"embedding_size": "embedding_size", "num_groups": "num_hidden_groups"},
    activations=GOOGLE_ACTIVATIONS,
    fixed=GOOGLE_FIXED,
    marker="bert/encoder/transformer/",
    config="albert_config.json",
    prefix="model.ckpt-best",
    pieces="30k-clean.model",
    from_settings=_from_settings,
)
_KERAS_HUB = KerasHubFormat(
    rows=_keras_hub_rows,
    fields=KERAS_HUB_FIELDS
    | {"type_vocab_size": "num_segments", "embedding_size": "embedding_dim", "num_groups": "num_groups"},
    fixed={"activation": "gelu_tanh", "layer_norm_epsilon": 1e-12},
    module="albert",
    class_prefix="Albert",
    similar_activations=("gelu", "gelu_tanh"),
    heads={"TextClassifier": keras_dense("classifier", "layers/dense"), "MaskedLM": KERAS_HUB_MASKED_LM},
    masked_lm={"masked_lm_activation": "gelu_tanh", "masked_lm_epsilon": 1e-5},
    vocabulary_file=sentencepiece_model.NAME,
    from_settings=_from_settings,
)

FAMILY = EncoderFamily(
    name="albert",
    title="ALBERT",
    config=AlbertConfig,
    encoder=AlbertEncoder,
    tokenizer_place="bert_tf.text.tokenizers.unigram:UnigramTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "huggingface": _HUGGINGFACE,
        "google": _GOOGLE,
        "keras_hub": _KERAS_HUB,
    },
    presets={
        "albert_base": {},
        "albert_large": published_size(24, 1024),
        "albert_xlarge": published_size(24, 2048, num_heads=16),
        "albert_xxlarge": published_size(12, 4096),
    },
)
