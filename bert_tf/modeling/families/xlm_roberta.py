"""XLM-RoBERTa (Conneau et al. 2020): RoBERTa for a hundred languages, with a unigram vocabulary."""

import dataclasses

import keras

from bert_tf.modeling.families.base import EncoderFamily
from bert_tf.modeling.families.bert import model_folder_rows, published_size
from bert_tf.modeling.families.roberta import RobertaConfig, RobertaEncoder, huggingface_format, keras_hub_format
from bert_tf.text.tokenizers import sentencepiece_model
from bert_tf.weights.formats.base import FamilyFormat


@dataclasses.dataclass(frozen=True)
class XLMRobertaConfig(RobertaConfig):
    """Sizes and numerics of an XLM-RoBERTa encoder; defaults are those of XLM-R base."""

    vocab_size: int = 250002


@keras.saving.register_keras_serializable("bert_tf")
class XLMRobertaEncoder(RobertaEncoder):
    """XLM-RoBERTa; computes as `RobertaEncoder`."""

    family = "xlm_roberta"
    config_class = XLMRobertaConfig


FAMILY = EncoderFamily(
    name="xlm_roberta",
    title="XLM-RoBERTa",
    config=XLMRobertaConfig,
    encoder=XLMRobertaEncoder,
    tokenizer_place="bert_tf.text.tokenizers.unigram:UnigramTokenizer",
    formats={
        "bert_tf": FamilyFormat(rows=model_folder_rows),
        "huggingface": huggingface_format("xlm-roberta", "XLMRoberta"),
        "keras_hub": keras_hub_format("xlm_roberta", "XLMRoberta", sentencepiece_model.XLM_ROBERTA_NAME),
    },
    presets={
        "xlm_roberta_base": {},
        "xlm_roberta_large": published_size(24, 1024),
    },
)
