"""A vocabulary, sizes and a toy problem that the tests of all tasks share."""

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "a", "the", "is", "not"]
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 32,
    "max_positions": 16,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
}
TEXTS = ["a good film", "the film is bad", "good", "is a bad bad film"] * 8
LABELS = ["pos", "neg", "pos", "neg"] * 8
