"""A small classifier with random weights, and texts that exercise its tokenizer."""

import keras
import pytest

from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "café", "cafe", "good", "bad", "##ly", "我"]
ENCODER = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 64,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 128,
    "max_positions": 80,
    "initializer_range": 0.5,  # answers that differ from text to text
}


@pytest.fixture
def texts():
    return ["A good Café", "bad", "", "我 goodly bad " * 30]


@pytest.fixture(scope="session")
def model():
    keras.utils.set_random_seed(1)
    return TextClassifier(Tokenizer(VOCABULARY), ["x", "y", "z"], max_length=72, **ENCODER)
