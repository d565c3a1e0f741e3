"""Texts longer than a row: windows and the mean of what they give, against rows made by hand."""

import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError
from bert_tf.tasks import TextClassifier, TextEmbedder
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

LONG = "good bad film a the is good a film the bad"  # 11 pieces


def classifier(**settings):
    return TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], max_length=8, **{"stride": 4, **SIZES, **settings})


def logits_of(model, *rows):
    """Of rows given as lists of (pieces of the first segment, pieces of the second)."""
    ids = tf.ragged.constant([[*first, *second] for first, second in rows], dtype=tf.int32)
    segments = tf.ragged.constant([[0] * len(first) + [1] * len(second) for first, second in rows], dtype=tf.int32)
    inputs = {"input_ids": ids, "input_mask": tf.ones_like(ids), "segment_ids": segments}
    return model({name: value.to_tensor() for name, value in inputs.items()}, training=False).numpy()


def pieces(text):
    return [VOCABULARY.index(word) for word in text.split()]


def row(text):
    return [2, *pieces(text), 3], []


def test_a_class_is_that_of_the_mean_logits():
    model = classifier()
    words = LONG.split()
    windows = [" ".join(words[:6]), " ".join(words[4:10]), " ".join(words[8:])]
    mean = logits_of(model, *map(row, windows)).mean(0)
    long, short = model.predict_text([LONG, "good film"])
    probabilities = np.exp(mean) / np.exp(mean).sum()
    assert list(long["probabilities"].values()) == pytest.approx(probabilities.tolist(), abs=1e-5)
    alone = logits_of(model, row("good film"))[0]
    assert short["probabilities"]["pos"] == pytest.approx(float(np.exp(alone[1]) / np.exp(alone).sum()), abs=1e-5)


def test_the_second_of_a_pair_is_cut_behind_the_first():
    """The first text keeps (8 - 3) // 2 pieces, which leaves 3 a window; one without a second text is a single one."""
    model = classifier(stride=2)
    first, second = "good bad film", "a the is good"
    inputs = model.inference_inputs((tf.constant([first, "bad film a the is good bad"]), tf.constant([second, ""])))
    assert inputs["input_ids"].numpy().tolist() == [
        [2, *pieces("good bad"), 3, *pieces("a the is"), 3],
        [2, *pieces("good bad"), 3, *pieces("is good"), 3, 0],
        [2, *pieces("bad film a the is good"), 3],
        [2, *pieces("a the is good bad"), 3, 0],
    ]
    assert inputs["segment_ids"].numpy().tolist() == [
        [0, 0, 0, 0, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 1, 1, 0],
        [0] * 8,
        [0] * 8,
    ]
    assert inputs["window_texts"].numpy().tolist() == [0, 0, 1, 1]


def test_training_and_models_without_a_stride_read_the_beginning():
    model = classifier()
    batch, _ = next(iter(model.dataset([LONG], ["pos"])))
    assert batch["input_ids"].numpy().tolist() == [row("good bad film a the is")[0]]
    model.stride = None
    cut = model.predict_text([LONG])
    assert cut == model.predict_text([" ".join(LONG.split()[:6])])
    model.stride = 4
    assert model.predict_text([LONG]) != cut


def test_a_vector_is_the_mean_of_the_windows_vectors():
    model = TextEmbedder(Tokenizer(VOCABULARY), max_length=8, stride=6, **SIZES)
    words = LONG.split()
    vectors = logits_of(model, row(" ".join(words[:6])), row(" ".join(words[6:])))
    mean = vectors.mean(0)
    found = model.embed([LONG, "good"])
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(found[1], logits_of(model, row("good"))[0], atol=1e-5)


def test_the_graph_and_the_folder_know_the_stride(tmp_path):
    model = classifier()
    model.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.stride == 4
    graph = tf.function(loaded.serve, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    answers = graph(tf.constant([LONG, "", "good"]))
    expected = model.predict_text([LONG, "", "good"])
    assert answers["probability"].numpy().tolist() == pytest.approx([a["probability"] for a in expected], abs=1e-5)


def test_a_million_characters():
    model = classifier(stride=6)
    (answer,) = model.predict_text(["good film " * 100_000])
    (piece,) = model.predict_text(["good film " * 3])
    assert answer["probability"] == pytest.approx(piece["probability"], abs=1e-3)  # nearly all windows are equal


def test_a_stride_within_the_row():
    with pytest.raises(ConfigError, match="stride=8, max_length=8"):
        classifier(stride=8)
