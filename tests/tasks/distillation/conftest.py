"""Small teachers with random weights, whose outputs differ clearly from text to text, and students."""

import keras
import pytest

from bert_tf.tasks import QuestionAnswerer, TextClassifier, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import LABELS, SIZES, TEXTS, VOCABULARY

WIDE = {"hidden_size": 24, "num_heads": 3, "num_layers": 3, "initializer_range": 0.5}
QUESTIONS = (["is the film"] * 16, ["the film is bad", "a good film"] * 8)
ANSWERS = [[{"text": "the", "answer_start": 0}], [{"text": "good", "answer_start": 2}]] * 8
# Class, its settings, texts and targets of a student.
KINDS = {
    "classes": (TextClassifier, {"labels": ["neg", "pos"]}, TEXTS, LABELS),
    "labels": (
        TextClassifier,
        {"labels": ["film", "long"], "problem_type": "multi_label_classification"},
        TEXTS,
        [["film"], [], [], ["film", "long"]] * 8,
    ),
    "scores": (TextClassifier, {"problem_type": "regression", "pooling": "mean"}, TEXTS, [1.0, 2.0] * 16),
    "tags": (
        TextTagger,
        {"labels": ["A", "B", "O"]},
        [text.split() for text in TEXTS],
        [["O"] * len(text.split()) for text in TEXTS],
    ),
    "questions": (QuestionAnswerer, {"max_length": 12}, QUESTIONS, ANSWERS),
}


@pytest.fixture
def make():
    """A function of a key of `KINDS` and changed settings to a model with random weights."""

    def make_model(kind, vocabulary=VOCABULARY, seed=0, **changes):
        keras.utils.set_random_seed(seed)
        cls, settings, _, _ = KINDS[kind]
        settings = {"max_length": 16} | SIZES | settings | {"vocab_size": len(vocabulary)} | changes
        if settings.get("encoder") == "bilstm":
            del settings["intermediate_size"]
        return cls(Tokenizer(vocabulary), **settings)

    return make_model
