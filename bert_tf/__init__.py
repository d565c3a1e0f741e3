"""BERT for Keras 3 and TensorFlow, from raw text to a served model."""

import importlib
from typing import Any

from bert_tf.core import keras_objects as _keras_objects  # noqa: F401  registers the models with Keras
from bert_tf.core.quiet_import import silence_tensorflow

__version__ = "0.2.0"  # setup.cfg reads it here

_PUBLIC = {
    "Tokenizer": "bert_tf.text.tokenizers.base",
    "Encoder": "bert_tf.modeling.families.base",
    "AlbertEncoder": "bert_tf.modeling.families.albert",
    "BertEncoder": "bert_tf.modeling.families.bert",
    "DistilBertEncoder": "bert_tf.modeling.families.distilbert",
    "ElectraEncoder": "bert_tf.modeling.families.electra",
    "ModernBertEncoder": "bert_tf.modeling.families.modernbert",
    "RobertaEncoder": "bert_tf.modeling.families.roberta",
    "XLMRobertaEncoder": "bert_tf.modeling.families.xlm_roberta",
    "BertPretrainer": "bert_tf.modeling.pretrainer",
    "ReplacedTokenPretrainer": "bert_tf.modeling.replaced_token_pretrainer",
    "load": "bert_tf.tasks",
}
__all__ = list(_PUBLIC)

silence_tensorflow()


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that `bert-tf --help` does not import TensorFlow."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bert_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
