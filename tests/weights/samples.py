"""Small checkpoints of every kind, filled with numbers that are nowhere alike."""

import numpy as np

from bert_tf.core.config import TextConfig
from bert_tf.modeling.families import FAMILIES
from bert_tf.modeling.families.bert import BertConfig
from bert_tf.weights import Checkpoint, schema
from bert_tf.weights.schema import head_shapes, part_of

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Größe", "##n", "北", "a", "b", "c"]
SIZES = {
    "vocab_size": 11,
    "hidden_size": 8,
    "num_layers": 2,
    "num_heads": 2,
    "intermediate_size": 12,
    "max_positions": 6,
}
HEADS = {
    "encoder": [],
    "pretrainer": ["masked_lm", "next_sentence"],
    "classification": ["classifier"],
    "tagging": ["classifier"],
    "question_answering": ["answer_span"],
    "embedding": [],
}
TASKS = {
    "encoder": {},
    "pretrainer": {},
    "classification": {"name": "classification", "labels": ["schlecht", "gut", "weder noch"], "max_length": 5},
    "tagging": {"name": "tagging", "labels": ["O", "B-PER", "I-PER"], "max_length": 6},
    "question_answering": {"name": "question_answering", "max_length": 6},
    "embedding": {"name": "embedding", "pooling": "max", "normalize": True, "max_length": 6},
}


def make(kind, vocabulary=VOCABULARY, text=None, **settings):
    """A checkpoint of one of `TASKS` with an encoder of two blocks; `settings` change its `BertConfig`."""
    encoder = BertConfig(**SIZES | settings)
    random = np.random.default_rng(0)
    shapes = schema("bert", encoder)
    shapes |= {name: shape for name, shape in head_shapes(encoder).items() if part_of(name) in HEADS[kind]}
    weights = {
        name: random.normal(0, 0.1, [size or 3 for size in shape]).astype("float32") for name, shape in shapes.items()
    }
    text = text or TextConfig(lower_case=False, max_word_chars=100)
    return Checkpoint("bert", encoder, weights, text, vocabulary, dict(TASKS[kind]))


def make_family(family, heads=(), vocabulary=None, task=None, **settings):
    """A checkpoint of an encoder of two blocks of any family, with these heads; `settings` change its config."""
    tokens = {"vocab_size": len(vocabulary)} if vocabulary else {}
    encoder = FAMILIES[family].config(**SIZES | {"vocab_size": 30} | tokens | settings)
    random = np.random.default_rng(0)
    shapes = schema(family, encoder)
    shapes |= {name: shape for name, shape in head_shapes(encoder).items() if part_of(name) in heads}
    weights = {
        name: random.normal(0, 0.1, [size or 3 for size in shape]).astype("float32") for name, shape in shapes.items()
    }
    return Checkpoint(family, encoder, weights, TextConfig(lower_case=False), vocabulary, dict(task or {}))
