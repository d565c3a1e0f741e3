"""A small classifier with random weights, and texts that try its tokenizer."""

import pytest

from bert_tf.tasks.classification import TextClassifier
from bert_tf.text.tokenizer import Tokenizer

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "café", "cafe", "good", "bad", "##ly", "我"]


@pytest.fixture
def texts():
    return ["A good Café", "bad", "", "我 goodly bad " * 9]


@pytest.fixture(scope="module")
def model():
    return TextClassifier(
        Tokenizer(VOCABULARY),
        ["x", "y", "z"],
        max_length=16,
        vocab_size=len(VOCABULARY),
        hidden_size=64,
        num_layers=1,
        num_heads=2,
        intermediate_size=128,
        max_positions=16,
    )
