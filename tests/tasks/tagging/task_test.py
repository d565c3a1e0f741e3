"""The tagger on words and on raw text: alignment, impossible sequences, windows, folders, bad input."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from seqeval.metrics import f1_score

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.tagging import decoding, schemes
from bert_tf.tasks.tagging.task import TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from bert_tf.weights import read_model

WORDS = ["anna", "maria", "bo", "paris", "rome", "visits", "sees", ".", "and"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s", "##x", "u", "s", "我", "'"]
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_size": 32,
    "max_positions": 32,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
}
LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
SENTENCES = [
    (["Anna", "visits", "Rome", "."], "I-PER O I-LOC O"),
    (["Anna", "Maria", "sees", "Paris"], "I-PER I-PER O I-LOC"),
    (["Bo", "sees", "Anna", "Maria", "and", "Bo"], "I-PER O I-PER I-PER O I-PER"),
    (["Romes", "Parisx"], "I-LOC B-LOC"),
] * 8
TEXTS = [words for words, _ in SENTENCES]
TAGS = [spelled.split() for _, spelled in SENTENCES]


def make(**settings):
    return TextTagger(Tokenizer(VOCABULARY), **{"labels": LABELS, "max_length": 16, **SIZES, **settings})


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(TEXTS, TAGS, epochs=12, batch_size=8, validation_data=(TEXTS, TAGS), verbose=0)
    return model


def test_learns_from_words_in_any_scheme(trained):
    assert trained.score(TEXTS, TAGS) == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "accuracy": 1.0}
    assert trained.predict_words(TEXTS[:4], "IOB1") == TAGS[:4]
    assert trained.predict_words(TEXTS[1:2], "BIOES") == [["B-PER", "E-PER", "O", "S-LOC"]]
    assert trained.evaluate(TEXTS, TAGS, verbose=0, return_dict=True)["accuracy"] == 1.0


def test_entities_of_raw_text_by_their_characters(trained):
    text = "Bo  sees Anna\tMaria and Parisx."
    (answer,) = trained.predict_text([text])
    found = [(e["type"], e["start"], e["end"], e["text"]) for e in answer["entities"]]
    assert found == [("PER", 0, 2, "Bo"), ("PER", 9, 19, "Anna\tMaria"), ("LOC", 24, 30, "Parisx")]
    assert all(0.5 < e["score"] <= 1 for e in answer["entities"])
    answers = trained.serve(tf.constant([text, ""]))
    assert answers["texts"].numpy().tolist() == [[b"Bo", b"Anna\tMaria", b"Parisx"], [b"", b"", b""]]


def test_tags_stand_on_first_pieces():
    """Worked by hand: Romes is rome ##s; a control character alone is [UNK], and keeps its tag."""
    batch = make().dataset([["Romes", "\x07", "Parisx"]], [["I-LOC", "O", "I-LOC"]])
    x, y, weight = next(iter(batch))
    assert x["input_ids"].numpy().tolist() == [[2, 9, 14, 1, 8, 15, 3]]
    assert weight.numpy().tolist() == [[0, 1, 0, 1, 1, 0, 0]]
    assert (y.numpy() * weight.numpy()).tolist() == [[0, 1, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("IOB2", "B-PER B-LOC I-LOC I-LOC I-LOC O O O"),
        ("IOB1", "I-PER I-LOC I-LOC I-LOC I-LOC O O O"),
        ("BIOES", "S-PER B-LOC I-LOC I-LOC E-LOC O O O"),
    ],
)
def test_a_tag_is_learned_for_all_parts_of_a_word(scheme, expected):
    model = make(labels=schemes.tag_set([LABELS], scheme), scheme=scheme)
    _, y, weight = next(iter(model.dataset([["Bo", "u.s.", "and.x"]], [["S-PER", "S-LOC", "O"]])))
    assert [model.labels[tag] for tag in y[weight > 0]] == expected.split()


def test_a_word_is_asked_for_its_tag_once():
    """Worked by hand: Bo, u . s ., and . x and, of the next sentence, Bo; in training all parts but ##x are asked."""
    model = make()
    words = model.preprocessor.encode_texts([["Bo", "u.s.", "and.x"], ["Bo"]])
    rows = model.inference_inputs(words)
    assert [np.flatnonzero(row).tolist() for row in rows["word_mask"]] == [[1, 2, 6], [1]]
    asked = rows["word_mask"].numpy() > 0
    assert rows["word_starts"].numpy()[asked].tolist() == [0, 1, 2, 0]
    assert rows["word_ends"].numpy()[asked].tolist() == [1, 2, 3, 1]
    assert model.preprocessor(words)["word_mask"].numpy().sum() == 9


def test_raw_text_falls_into_words_of_the_basic_tokenizer():
    inputs = make().preprocessor(tf.constant(["u.s 我Annas"]))
    asked = inputs["word_mask"].numpy()[0]
    places = [
        (s, e)
        for s, e, a in zip(*(inputs[n].numpy()[0] for n in ("word_starts", "word_ends")), asked, strict=True)
        if a
    ]
    assert places == [(0, 1), (1, 2), (2, 3), (4, 5), (5, 10)]


@pytest.mark.parametrize("scheme", [*schemes.PREFIXES, None])
def test_best_possible_sequence(scheme):
    """Against all sequences: the best of those that the scheme allows, for rows of several lengths."""
    labels = schemes.tag_set([["B-X", "B-Y"]], scheme or "IOB2")
    random = np.random.default_rng(0)
    rows = [random.normal(size=(length, len(labels))).astype("float32") * 3 for length in (3, 0, 4, 1, 3, 3)]
    scores = tf.RaggedTensor.from_row_lengths(np.concatenate(rows), [len(row) for row in rows])
    found = decoding.Decoder(labels, scheme).best(scores).to_list()

    def possible(sequence):
        names = [labels[i] for i in sequence]
        return scheme is None or schemes.convert(names, scheme) == names

    for row, best in zip(rows, found, strict=True):
        sequences = filter(possible, itertools.product(range(len(labels)), repeat=len(row)))
        assert tuple(best) == max(sequences, key=lambda s: sum(row[i, tag] for i, tag in enumerate(s)))


def test_long_sentences_lose_no_word(trained):
    """In windows of 14 pieces as in one row: every word is tagged once, in order, and learned once."""
    words, spelled = sum(TEXTS[:12], []), sum(TAGS[:12], [])
    assert len(words) > 40
    batches = list(trained.dataset([words], [spelled]))
    assert sum(float(tf.reduce_sum(weight)) for _, _, weight in batches) == len(words)
    learned = np.concatenate([y[weight > 0] for _, y, weight in batches])
    assert [LABELS[tag] for tag in learned] == schemes.convert(spelled, "IOB2")
    assert trained.predict_words([words, ["Bo"]], "IOB1") == [spelled, ["I-PER"]]
    (answer,) = trained.predict_text([" ".join(words)])
    assert [e["text"] for e in answer["entities"]] == [
        " ".join(words[first:end]) for _, first, end in schemes.read(spelled)
    ]


def test_a_million_characters(trained):
    text = "Anna sees Rome . " * 60_000
    (answer,) = trained.predict_text([text])
    assert len(answer["entities"]) == 120_000
    assert answer["entities"][-1]["text"] == "Rome"
    assert answer["entities"][-1]["start"] == len(text) - 7


def test_parts_of_speech(tmp_path):
    keras.utils.set_random_seed(1)
    kinds = {"Anna": "NP", "sees": "V", "Rome": "NP", "visits": "V", ".": "O-"}
    texts = [["Anna", "sees", "Rome", "."], ["Anna", "visits", "."]] * 16
    spelled = [[kinds[word] for word in words] for words in texts]
    model = make(labels=schemes.tag_set(spelled, None))
    assert (model.scheme, model.SCORE) == (None, "accuracy")
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit(texts, spelled, epochs=6, verbose=0)
    assert model.score(texts, spelled) == {"accuracy": 1.0}
    (answer,) = model.predict_text(["Anna sees."])
    assert [(e["type"], e["text"]) for e in answer["entities"]] == [("NP", "Anna"), ("V", "sees"), ("O-", ".")]


def test_folder_gives_the_same_tagger(trained, tmp_path):
    trained.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert (loaded.labels, loaded.scheme, loaded.max_length, loaded.stride) == (LABELS, "IOB2", 16, 8)
    assert loaded.predict_text(["Anna sees Rome"]) == trained.predict_text(["Anna sees Rome"])


def test_rows_of_pieces_alone(trained):
    """What `preprocess` knows of the text is not needed: places are then counted in pieces."""
    inputs = trained.preprocessor(tf.constant(["Romes and Anna Maria"]))
    answers = trained.predict_inputs({name: inputs[name] for name in ("input_ids", "input_mask", "segment_ids")})
    assert answers["types"].numpy().tolist() == [[b"LOC", b"PER"]]
    assert (answers["starts"].numpy().tolist(), answers["ends"].numpy().tolist()) == ([[1, 4]], [[3, 6]])


def test_graph_gives_what_python_gives(trained):
    texts = ["Anna sees Rome", "", "Bo " * 30]
    graph = tf.function(trained.serve, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    for name, value in graph(tf.constant(texts)).items():
        expected = trained.serve(tf.constant(texts))[name]
        if name == "scores":
            np.testing.assert_allclose(value, expected, atol=1e-5)
        else:
            np.testing.assert_array_equal(value, expected)
    assert graph(tf.zeros([0], tf.string))["types"].shape[0] == 0


def test_golden_logits(golden):
    checkpoint = read_model(golden / "hf_token_classification")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *map(str, range(checkpoint.encoder.vocab_size - 4))]
    model = TextTagger.from_checkpoint(dataclasses.replace(checkpoint, vocabulary=pieces), "golden")
    assert (model.labels, model.scheme) == ([f"LABEL_{i}" for i in range(5)], None)
    expected = np.load(golden / "hf_token_classification" / "expected.npz")
    theirs = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids"}
    logits = model({ours: expected[name].astype("int32") for ours, name in theirs.items()})
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-4)


def test_f1_is_seqevals(trained):
    right = [["B-PER", "I-PER", "O"], ["B-LOC", "O", "B-LOC"]]
    found = [["B-PER", "O", "O"], ["B-LOC", "O", "B-LOC"]]
    answers = [
        {"entities": [{"type": kind, "start": a, "end": b} for kind, a, b in schemes.read(sentence)]}
        for sentence in found
    ]
    scores = trained.postprocessor.compute_metrics(answers, right)
    assert scores["f1"] == pytest.approx(f1_score(right, found)) == pytest.approx(2 / 3)
    assert scores["accuracy"] == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("texts", "targets", "message"),
    [
        ([["Anna"], ["Bo", "sees"]], [["I-PER"], ["O"]], "Row 1 has 2 words and 1 tags"),
        ([["Anna"], ["Bo", "sees"]], [["I-PER"], ["O", "I-ORG"]], "Row 1, word 1: the tag is 'I-ORG'.*O, B-LOC"),
        ([["Anna"]], [["PER"]], "Row 0, word 0: the tag is 'PER'"),
        ([["Anna"]], [["I-PER"], ["O"]], "1 texts and 2 targets"),
        ([["Anna"], []], [["I-PER"], []], "Row 1 has no words"),
        ([["Anna"], ["Bo", 3]], [["I-PER"], ["O", "O"]], "Row 1: the word 3 is not a string"),
        ([["Anna"], "Bo"], [["I-PER"], ["O"]], "Row 1: 'Bo' is not a list of words"),
        (["Anna sees"], [["I-PER", "O"]], "raw texts with tags. Give each sentence as a list of words"),
    ],
)
def test_bad_rows_are_named(trained, texts, targets, message):
    with pytest.raises(InputError, match=message):
        trained.dataset(texts, targets)


def test_bad_settings():
    with pytest.raises(ConfigError, match="At least 2 are needed"):
        make(labels=["O"])
    with pytest.raises(ConfigError, match="'E-LOC' is not a tag of this scheme"):
        make(labels=["O", "B-LOC", "E-LOC"], scheme="IOB2")
    with pytest.raises(ConfigError, match="'O' is missing"):
        make(labels=["B-LOC", "I-LOC"], scheme="IOB2")
    with pytest.raises(ConfigError, match="stride=16"):
        make(stride=16)


def test_a_tagger_takes_labels_and_targets_in_other_spellings():
    model = TextTagger(Tokenizer(VOCABULARY), ["o", "B_X", "L_X", "U_X", "I_X"], **SIZES)
    assert (model.labels, model.scheme, model.SCORE) == (["O", "B-X", "E-X", "S-X", "I-X"], "BIOES", "f1")
    encoded = model.preprocessor.encode_targets([["U-X", "o", "b-X", "l-X"], ["S-X", "O", "B-X", "E-X"]])
    assert encoded.to_list() == [[3, 0, 1, 2]] * 2
