"""ELECTRA (Clark et al. 2020): BERT with a narrow embedding, pretrained to find replaced tokens."""

import dataclasses

import keras

from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import (
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_FIELDS,
    KERAS_HUB_FIELDS,
    BertConfig,
    huggingface_encoder_rows,
    keras_hub_encoder_rows,
    model_folder_rows,
    published_size,
)
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.weights.formats.base import FamilyFormat, HuggingFaceFormat, KerasHubFormat
from bert_tf.weights.weight_table import Row, keras_dense, torch_linear, torch_norm

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class ElectraConfig(BertConfig):
    """Sizes and numerics of an ELECTRA encoder; defaults are those of ELECTRA small's discriminator."""

    hidden_size: int = 256
    num_heads: int = 4
    intermediate_size: int = 1024
    embedding_size: int = 128  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("embedding_size")


@keras.saving.register_keras_serializable("bert_tf")
class ElectraEncoder(TransformerEncoder):
    """ELECTRA: as BERT, with a projection after the embeddings where their width is another one.

    Arguments are the fields of `ElectraConfig`; inputs and outputs are those of `TransformerEncoder.call`. The pooler
    is the dense layer of the classification head, with gelu.
    """

    family = "electra"
    config_class = ElectraConfig
    pooler_activation = "gelu"


# ---- Weights


def _huggingface_rows(config: ElectraConfig) -> list[Row]:
    """Names of the parameters of transformers' ElectraModel and the classes with its heads."""
    rows = [
        *huggingface_encoder_rows(config, "electra"),
        *torch_linear("masked_lm/transform", "generator_predictions.dense"),
        *torch_norm("masked_lm/norm", "generator_predictions.LayerNorm"),
        Row("masked_lm/bias", "generator_lm_head.bias"),
        *torch_linear("replaced_token/transform", "discriminator_predictions.dense"),
        *torch_linear("replaced_token/output", "discriminator_predictions.dense_prediction"),
        *torch_linear("classifier", "classifier"),
        *torch_linear("answer_span", "qa_outputs"),
    ]
    if config.has_projection:
        rows += torch_linear("encoder/embeddings/projection", "electra.embeddings_project")
    return rows


def _keras_hub_rows(config: ElectraConfig) -> list[Row]:
    """Paths in the weights file of keras-hub's ElectraBackbone."""
    rows = keras_hub_encoder_rows(config)
    return rows + keras_dense("encoder/embeddings/projection", "layers/dense") * config.has_projection


def _keras_hub_pooler(config: ElectraConfig) -> dict[str, tuple[int, ...]]:
    """The pooler of their backbone, which no published ELECTRA has."""
    layer = "layers/dense_1/vars/" if config.has_projection else "layers/dense/vars/"
    return {f"{layer}0": (config.hidden_size, config.hidden_size), f"{layer}1": (config.hidden_size,)}


_HUGGINGFACE = HuggingFaceFormat(
    rows=_huggingface_rows,
    fields=HUGGINGFACE_FIELDS | {"embedding_size": "embedding_size"},
    activations=HUGGINGFACE_ACTIVATIONS,
    model_type="electra",
    class_prefix="Electra",
    module="electra",
    tied={"generator_lm_head.weight": "electra.embeddings.word_embeddings.weight"},
    class_rows={
        "ForSequenceClassification": [
            *torch_linear("encoder/pooler", "classifier.dense"),
            *torch_linear("classifier", "classifier.out_proj"),
        ]
    },
    pretraining={"ForPreTraining": ("replaced_token",), "ForMaskedLM": ("masked_lm",)},
    constants={"pad_token_id": 0},
)
_KERAS_HUB = KerasHubFormat(
    rows=_keras_hub_rows,
    fields=KERAS_HUB_FIELDS
    | {"vocab_size": "vocab_size", "type_vocab_size": "num_segments", "embedding_size": "embedding_dim"},
    fixed={"activation": "gelu_tanh", "layer_norm_epsilon": 1e-12},
    module="electra",
    class_prefix="Electra",
    similar_activations=("gelu", "gelu_tanh"),
    foreign=_keras_hub_pooler,
)

FAMILY = EncoderFamily(
    name="electra",
    title="ELECTRA",
    config=ElectraConfig,
    encoder=ElectraEncoder,
    tokenizer_place="bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "huggingface": _HUGGINGFACE,
        "keras_hub": _KERAS_HUB,
    },
    presets={
        "electra_small": {},
        "electra_base": published_size(12, 768) | {"embedding_size": 768},
        "electra_large": published_size(24, 1024) | {"embedding_size": 1024},
    },
)
