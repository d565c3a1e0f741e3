"""RoBERTa (Liu et al. 2019): BERT without segments, with positions counted as in fairseq and byte-level BPE."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from bert_tf.core.errors import ConfigError
from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import (
    HUGGINGFACE_ACTIVATIONS,
    HUGGINGFACE_FIELDS,
    KERAS_HUB_DEEP_CLASSIFIER,
    KERAS_HUB_FIELDS,
    KERAS_HUB_MASKED_LM,
    huggingface_encoder_rows,
    keras_hub_encoder_rows,
    model_folder_rows,
    published_size,
)
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.families.transformer_config import TransformerConfig
from bert_tf.text.tokenizers import byte_bpe_file
from bert_tf.weights.formats.base import FamilyFormat, HuggingFaceFormat, KerasHubFormat, Weights
from bert_tf.weights.weight_table import Row, Transform, torch_linear, torch_norm

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class RobertaConfig(TransformerConfig):
    """Sizes and numerics of a RoBERTa encoder; defaults are those of RoBERTa base.

    `max_positions` counts the tokens of a sequence. The table has `padding_id` + 1 more rows, whose first ones are of
    no token.
    """

    vocab_size: int = 50265
    layer_norm_epsilon: float = 1e-5
    padding_id: int = 1  # type: ignore[assignment]

    type_vocab_size = 1
    skips_padding = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.padding_id < self.vocab_size:
            raise ConfigError(
                f"Received: padding_id={self.padding_id}. It must be the id of a token, below {self.vocab_size}."
            )


@keras.saving.register_keras_serializable("bert_tf")
class RobertaEncoder(TransformerEncoder):
    """RoBERTa: post-layer-norm blocks, learned positions that skip padding, one segment for all tokens.

    Arguments are the fields of `RobertaConfig`; inputs and outputs are those of `TransformerEncoder.call`. Segment ids
    are not read. The pooler is the dense layer of the classification head, or that of a bare encoder's file.
    """

    family = "roberta"
    config_class = RobertaConfig


# ---- Weights


def _huggingface_rows(config: RobertaConfig) -> list[Row]:
    """Names of the parameters of transformers' RobertaModel and the classes with its heads."""
    return [
        *huggingface_encoder_rows(config, "roberta"),
        *torch_linear("encoder/pooler", "roberta.pooler.dense"),
        *torch_linear("masked_lm/transform", "lm_head.dense"),
        *torch_norm("masked_lm/norm", "lm_head.layer_norm"),
        Row("masked_lm/bias", "lm_head.bias"),
        *torch_linear("classifier", "classifier"),
        *torch_linear("answer_span", "qa_outputs"),
    ]


def _from_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Their settings with the positions of tokens alone."""
    settings = dict(settings)
    positions, padding = settings.get("max_position_embeddings"), settings.get("pad_token_id", 1)
    if isinstance(positions, int) and isinstance(padding, int):
        settings["max_position_embeddings"] = positions - padding - 1
    return settings


def _to_settings(settings: dict[str, Any]) -> dict[str, Any]:
    positions = settings["max_position_embeddings"] + settings["pad_token_id"] + 1
    return settings | {"max_position_embeddings": positions}


def huggingface_format(model_type: str, class_prefix: str) -> HuggingFaceFormat:
    """RoBERTa, and the models that transformers builds as it, under other names."""
    fields: Mapping[str, str] = HUGGINGFACE_FIELDS | {"padding_id": "pad_token_id"}
    return HuggingFaceFormat(
        rows=_huggingface_rows,
        fields={ours: theirs for ours, theirs in fields.items() if ours != "type_vocab_size"},
        activations=HUGGINGFACE_ACTIVATIONS,
        model_type=model_type,
        class_prefix=class_prefix,
        has_decoder=True,
        module="roberta",
        tied={
            "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
            "lm_head.decoder.bias": "lm_head.bias",
        },
        class_rows={
            "ForSequenceClassification": [
                *torch_linear("encoder/pooler", "classifier.dense"),
                *torch_linear("classifier", "classifier.out_proj"),
            ]
        },
        pretraining={"ForMaskedLM": ("masked_lm",)},
        constants={"bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1},
        from_settings=_from_settings,
        to_settings=_to_settings,
    )


_POSITIONS, _SEGMENT = "encoder/embeddings/position/embeddings", "encoder/embeddings/segment/embeddings"


def _keras_hub_rows(config: RobertaConfig) -> list[Row]:
    """Paths in the weights file of keras-hub's RobertaBackbone, whose positions begin with the first token's."""
    before = config.padding_id + 1
    rows = keras_hub_encoder_rows(config, has_segments=False)
    skip = Transform(lambda x: np.pad(x, ((before, 0), (0, 0))), lambda x: x[before:])
    return [dataclasses.replace(row, transform=skip) if row.ours == _POSITIONS else row for row in rows]


def _with_segment(weights: Weights) -> Weights:
    return weights | {_SEGMENT: np.zeros_like(weights[_POSITIONS][:1])}


def _without_segment(weights: Weights) -> Weights:
    """The weights with the vector of the only segment, which every token gets, in the positions instead."""
    weights = dict(weights)
    segment = weights.pop(_SEGMENT)
    return weights | {_POSITIONS: weights[_POSITIONS] + segment}


def keras_hub_format(module: str, class_prefix: str, vocabulary_file: str) -> KerasHubFormat:
    """RoBERTa, and the models that keras-hub builds as it, under other names."""
    return KerasHubFormat(
        rows=_keras_hub_rows,
        fields=KERAS_HUB_FIELDS,
        fixed={"activation": "gelu", "layer_norm_epsilon": 1e-5},
        module=module,
        class_prefix=class_prefix,
        similar_activations=("gelu", "gelu_tanh"),
        heads={"TextClassifier": KERAS_HUB_DEEP_CLASSIFIER, "MaskedLM": KERAS_HUB_MASKED_LM},
        masked_lm={"masked_lm_activation": "gelu", "masked_lm_epsilon": 1e-5},
        from_weights=_with_segment,
        to_weights=_without_segment,
        vocabulary_file=vocabulary_file,
    )


FAMILY = EncoderFamily(
    name="roberta",
    title="RoBERTa",
    config=RobertaConfig,
    encoder=RobertaEncoder,
    tokenizer_place="bert_tf.text.tokenizers.byte_bpe:BytePairTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "huggingface": huggingface_format("roberta", "Roberta"),
        "keras_hub": keras_hub_format("roberta", "Roberta", byte_bpe_file.NAME),
    },
    presets={
        "roberta_base": {},
        "roberta_large": published_size(24, 1024),
    },
)
