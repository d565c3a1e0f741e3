"""DistilBERT (Sanh et al. 2019): half of BERT's layers, no segments, no pooler."""

import dataclasses
import functools

import keras

from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import (
    HUGGINGFACE_ACTIVATIONS,
    KERAS_HUB_DEEP_CLASSIFIER,
    KERAS_HUB_FIELDS,
    KERAS_HUB_MASKED_LM,
    embedding_tables,
    keras_hub_encoder_rows,
    model_folder_rows,
)
from bert_tf.modeling.families.transformer import TransformerEncoder
from bert_tf.modeling.families.transformer_config import TransformerConfig
from bert_tf.weights.formats.base import FamilyFormat, HuggingFaceFormat, KerasHubFormat
from bert_tf.weights.weight_table import Row, expand, torch_linear, torch_norm

# ---- Encoder


@dataclasses.dataclass(frozen=True)
class DistilBertConfig(TransformerConfig):
    """Sizes and numerics of a DistilBERT encoder; defaults are those of DistilBERT base."""

    num_layers: int = 6


@keras.saving.register_keras_serializable("bert_tf")
class DistilBertEncoder(TransformerEncoder):
    """DistilBERT: post-layer-norm blocks, learned positions.

    Arguments are the fields of `DistilBertConfig`; inputs and outputs are those of `TransformerEncoder.call`. Segment
    ids are not read. The pooler is the dense layer before the classifier, with ReLU.
    """

    family = "distilbert"
    config_class = DistilBertConfig
    pooler_activation = "relu"


# ---- Weights


def _huggingface_rows(config: DistilBertConfig) -> list[Row]:
    """Names of the parameters of transformers' DistilBertModel and the classes with its heads."""
    layer = "distilbert.transformer.layer.{i}."
    embeddings = "distilbert.embeddings."
    rows = [
        *embedding_tables(embeddings + "{}_embeddings.weight", "word", "position"),
        *torch_norm("encoder/embeddings/norm", embeddings + "LayerNorm"),
        *torch_linear("encoder/block_{i}/attention/query", layer + "attention.q_lin"),
        *torch_linear("encoder/block_{i}/attention/key", layer + "attention.k_lin"),
        *torch_linear("encoder/block_{i}/attention/value", layer + "attention.v_lin"),
        *torch_linear("encoder/block_{i}/attention/output", layer + "attention.out_lin"),
        *torch_norm("encoder/block_{i}/attention_norm", layer + "sa_layer_norm"),
        *torch_linear("encoder/block_{i}/intermediate", layer + "ffn.lin1"),
        *torch_linear("encoder/block_{i}/output", layer + "ffn.lin2"),
        *torch_norm("encoder/block_{i}/output_norm", layer + "output_layer_norm"),
        *torch_linear("masked_lm/transform", "vocab_transform"),
        *torch_norm("masked_lm/norm", "vocab_layer_norm"),
        Row("masked_lm/bias", "vocab_projector.bias"),
        *torch_linear("classifier", "classifier"),
        *torch_linear("answer_span", "qa_outputs"),
    ]
    return expand(rows, config.num_layers)


_HUGGINGFACE = HuggingFaceFormat(
    rows=_huggingface_rows,
    fields={
        "vocab_size": "vocab_size",
        "hidden_size": "dim",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "max_positions": "max_position_embeddings",
        "activation": "activation",
        "hidden_dropout": "dropout",
        "attention_dropout": "attention_dropout",
        "initializer_range": "initializer_range",
    },
    activations=HUGGINGFACE_ACTIVATIONS,
    fixed={"layer_norm_epsilon": 1e-12},
    model_type="distilbert",
    class_prefix="DistilBert",
    module="distilbert",
    tied={"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"},
    class_rows={"ForSequenceClassification": torch_linear("encoder/pooler", "pre_classifier")},
    pretraining={"ForMaskedLM": ("masked_lm",)},
    constants={"pad_token_id": 0},
)
_KERAS_HUB = KerasHubFormat(
    rows=functools.partial(keras_hub_encoder_rows, has_segments=False),
    fields=KERAS_HUB_FIELDS,
    fixed={"activation": "gelu", "layer_norm_epsilon": 1e-12},
    module="distil_bert",
    class_prefix="DistilBert",
    similar_activations=("gelu", "gelu_tanh"),
    heads={"TextClassifier": KERAS_HUB_DEEP_CLASSIFIER, "MaskedLM": KERAS_HUB_MASKED_LM},
    masked_lm={"masked_lm_activation": "gelu", "masked_lm_epsilon": 1e-5},
)

FAMILY = EncoderFamily(
    name="distilbert",
    title="DistilBERT",
    config=DistilBertConfig,
    encoder=DistilBertEncoder,
    tokenizer_place="bert_tf.text.tokenizers.wordpiece:WordPieceTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "huggingface": _HUGGINGFACE,
        "keras_hub": _KERAS_HUB,
    },
    presets={"distilbert_base": {}},
)
