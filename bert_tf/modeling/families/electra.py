"""ELECTRA (Clark et al. 2020): BERT with a narrow embedding, pretrained to find replaced tokens."""

import dataclasses
import re

import keras
from absl import logging

from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import (
    GOOGLE_ACTIVATIONS,
    GOOGLE_FIELDS,
    GOOGLE_FIXED,
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_FIELDS,
    KERAS_HUB_FIELDS,
    BertConfig,
    google_dense,
    google_encoder_rows,
    google_norm,
    huggingface_encoder_rows,
    keras_hub_encoder_rows,
    model_folder_rows,
    published_size,
)
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.weights.formats.base import (
    FamilyFormat,
    GoogleFormat,
    HuggingFaceFormat,
    KerasHubFormat,
    StoredArrays,
    Weights,
)
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


def _google_rows(config: ElectraConfig) -> list[Row]:
    """Names of the variables of google-research/electra, model/modeling.py and run_pretraining.py."""
    rows = [
        *google_encoder_rows(config, "electra"),
        *google_dense("masked_lm/transform", "generator_predictions/dense"),
        *google_norm("masked_lm/norm", "generator_predictions"),
        Row("masked_lm/bias", "generator_predictions/output_bias"),
        *google_dense("replaced_token/transform", "discriminator_predictions/dense"),
        *google_dense("replaced_token/output", "discriminator_predictions/dense_1"),
    ]
    if config.has_projection:
        rows += google_dense("encoder/embeddings/projection", "electra/embeddings_project")
    return rows


# Their checkpoints hold the discriminator as "electra", and with its embeddings a generator of other sizes.
# {scope: what the names of the other model's weights begin with}.
_OTHER_MODEL = {
    "electra": ("generator/", "generator_predictions/"),
    "generator": ("electra/encoder/", "electra/embeddings_project/", "discriminator_predictions/"),
}


def _google_scope(settings: dict, tensors: StoredArrays) -> str:
    """The scope of the model whose sizes the settings have; the discriminator where they have none."""
    wanted = settings.get("hidden_size"), settings.get("intermediate_size")
    for scope in _OTHER_MODEL:
        kernel = tensors.get(f"{scope}/encoder/layer_0/intermediate/dense/kernel")
        if kernel is not None and wanted in (kernel.shape, (None, None)):
            return scope
    return "electra"


def _google_complete(settings: dict, tensors: StoredArrays) -> dict:
    """The settings with the sizes that the tensors tell: published files have none, and none the embedding's width."""
    scope = _google_scope(settings, tensors)
    try:
        vocabulary, embedding = tensors["electra/embeddings/word_embeddings"].shape
        positions, _ = tensors["electra/embeddings/position_embeddings"].shape
        segments, _ = tensors["electra/embeddings/token_type_embeddings"].shape
        hidden, intermediate = tensors[f"{scope}/encoder/layer_0/intermediate/dense/kernel"].shape
    except (KeyError, ValueError):  # of a damaged file
        return settings
    layers = {match[1] for name in tensors if (match := re.match(rf"{scope}/encoder/layer_(\d+)/", name))}
    sizes = {
        "vocab_size": vocabulary,
        "embedding_size": embedding,
        "hidden_size": hidden,
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, hidden // 64),
        "intermediate_size": intermediate,
        "max_position_embeddings": positions,
        "type_vocab_size": segments,
    }
    return sizes | settings


def _google_from_tensors(tensors: StoredArrays, settings: dict) -> StoredArrays:
    """The tensors of one of the two models, under the names of the discriminator's."""
    if not any(name.startswith("generator/") for name in tensors):
        return tensors
    scope = _google_scope(settings, tensors)
    kept, renamed = {}, {}
    for name, tensor in tensors.items():
        if name.startswith("generator/") and scope == "generator":
            renamed[name.replace("generator/", "electra/", 1)] = tensor
        elif not name.startswith(_OTHER_MODEL[scope]):
            kept[name] = tensor
    if len(kept) + len(renamed) < len(tensors):
        read, other = ("discriminator", "generator") if scope == "electra" else ("generator", "discriminator")
        logging.warning("Of the two models in the checkpoint the %s is read, not the %s.", read, other)
    return kept | renamed


def _google_to_tensors(tensors: Weights) -> Weights:
    """The tensors under the names of the generator's, where they have its head alone."""
    tops = {name.split("/")[0] for name in tensors}
    if "generator_predictions" not in tops or "discriminator_predictions" in tops:
        return tensors
    return {re.sub("^electra/(?!embeddings/)", "generator/", name): tensor for name, tensor in tensors.items()}


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
    has_decoder=True,
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
_GOOGLE = GoogleFormat(
    rows=_google_rows,
    fields=GOOGLE_FIELDS | {"embedding_size": "embedding_size"},
    activations=GOOGLE_ACTIVATIONS | {"gelu": "gelu"},  # unlike BERT's code, the exact one
    fixed=GOOGLE_FIXED,
    marker="electra/embeddings/",
    config="electra_config.json",
    prefix="electra_model.ckpt",
    complete=_google_complete,
    from_tensors=_google_from_tensors,
    to_tensors=_google_to_tensors,
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
        "google": _GOOGLE,
        "keras_hub": _KERAS_HUB,
    },
    presets={
        "electra_small": {},
        "electra_base": published_size(12, 768) | {"embedding_size": 768},
        "electra_large": published_size(24, 1024) | {"embedding_size": 1024},
    },
)
