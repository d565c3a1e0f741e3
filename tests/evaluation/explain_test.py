"""Explanations: what they add up to, their words, the tasks and families, the verb and its page."""

import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from bert_tf.cli.explain import explain_texts
from bert_tf.cli.flags import VERBS
from bert_tf.core.errors import ConfigError, InputError
from bert_tf.evaluation.attribution import METHODS
from bert_tf.evaluation.explain import Comparison, explain, faithfulness
from bert_tf.tasks import NextSentence, QuestionAnswerer, TextClassifier, TextTagger
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

WIDE = SIZES | {"initializer_range": 0.5}


def make(task=TextClassifier, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    if task is not QuestionAnswerer:
        settings.setdefault("labels", ["neg", "pos"])
    sizes = WIDE | settings
    if sizes.get("encoder") == "bilstm":
        del sizes["intermediate_size"]
    return task(Tokenizer(VOCABULARY), **sizes)


@pytest.fixture(scope="module")
def classifier():
    return make()


def total(explanation):
    return sum(word["attribution"] for word in explanation.words)


@pytest.mark.parametrize("family", ["bert", "modernbert", "bilstm", "albert"])
def test_integrated_gradients_add_up_to_the_change_of_the_logit(family):
    sizes = {"embedding_size": 8} if family == "albert" else {}
    model = make(encoder=family, **sizes)
    texts = ["the film is not good", "bad", "a good a bad film"]
    logits = model(model.preprocessor(texts), training=False).numpy()
    for row, explanation in zip(logits, explain(model, texts), strict=True):
        assert explanation.explained == model.labels[row.argmax()]
        assert explanation.score == pytest.approx(row.max(), abs=1e-5)
        assert total(explanation) == pytest.approx(explanation.score - explanation.baseline, rel=0.01, abs=1e-4)


@pytest.mark.parametrize("method", ["integrated_gradients", "gradient_x_input", "leave_one_out"])
def test_the_words_of_a_linear_model_get_their_weights(method, classifier, monkeypatch):
    weights = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")

    def call(inputs, training=None):
        vectors = classifier.encoder.token_embedding(inputs["input_ids"])  # [N, S, D]
        return tf.reduce_sum(vectors, 1) @ weights

    monkeypatch.setattr(classifier, "call", call)
    table = classifier.encoder.token_embedding.embeddings.numpy() @ weights[:, 1]
    (explanation,) = explain(classifier, ["good bad film"], method, "pos")
    expected = [table[VOCABULARY.index(word)] - table[VOCABULARY.index("[MASK]")] for word in ("good", "bad", "film")]
    np.testing.assert_allclose([word["attribution"] for word in explanation.words], expected, atol=1e-5)


def test_words_have_their_places_in_both_texts(classifier):
    (explanation,) = explain(classifier, (["The good  FILM"], ["not bad"]))
    texts = ("The good  FILM", "not bad")
    assert explanation.texts == texts
    assert [word["word"] for word in explanation.words] == ["The", "good", "FILM", "not", "bad"]
    assert [word["text"] for word in explanation.words] == [0, 0, 0, 1, 1]
    for word in explanation.words:
        assert texts[word["text"]][word["start"] : word["end"]] == word["word"]


def test_pieces_of_a_word_are_added_up(monkeypatch):
    keras.utils.set_random_seed(0)
    words = [*VOCABULARY, "##s"]
    model = TextClassifier(Tokenizer(words), ["neg", "pos"], **WIDE | {"vocab_size": len(words)})
    (explanation,) = explain(model, ["films is good"])
    assert [word["word"] for word in explanation.words] == ["films", "is", "good"]
    assert total(explanation) == pytest.approx(explanation.score - explanation.baseline, rel=0.01, abs=1e-4)


def test_attention_is_shared_among_the_words(classifier):
    (explanation,) = explain(classifier, ["a good film"], "attention_rollout")
    values = [word["attribution"] for word in explanation.words]
    assert min(values) > 0
    assert sum(values) < 1  # the rest is of [CLS] and [SEP]


def test_a_given_label(classifier):
    one, other = (next(explain(classifier, ["a bad film"], label=label)) for label in ("neg", "pos"))
    assert (one.explained, other.explained) == ("neg", "pos")
    assert one.score != other.score


def test_tags_of_entities():
    model = make(TextTagger, labels=["O", "B-X", "I-X"])
    (explanation,) = explain(model, ["the film is not good"])
    logits = model(model.preprocessor(model.preprocessor.encode_texts(["the film is not good"])), training=False)[0]
    tags = logits.numpy()[1:6].argmax(-1)
    found = [k for k, tag in enumerate(tags) if tag] or range(5)
    assert explanation.score == pytest.approx(sum(logits.numpy()[1 + k, tags[k]] for k in found), abs=1e-4)
    assert total(explanation) == pytest.approx(explanation.score - explanation.baseline, rel=0.01, abs=1e-4)


def test_answers_of_questions():
    model = make(QuestionAnswerer, max_length=16)
    question, context = "is the film good", "the film is not bad"
    (explanation,) = explain(model, ([question], [context]))
    answer = model.predict_text(([question], [context]))[0]["answer"]
    assert explanation.explained == answer
    assert total(explanation) == pytest.approx(explanation.score - explanation.baseline, rel=0.01, abs=1e-4)


def test_important_words_are_masked_first(classifier):
    texts = ["the film is not good", "a bad film", "is a good bad film"]
    measured = faithfulness(classifier, texts)
    assert measured.deletion.keys() == {*METHODS, "random"}
    changes = np.array([e.score - e.baseline for e in explain(classifier, texts)])
    for curves in (measured.deletion, measured.insertion):
        for curve in curves.values():
            np.testing.assert_allclose(curve[:, 0], 0, atol=1e-5)
            np.testing.assert_allclose(curve[:, -1], changes, atol=1e-4)  # all words, in any order
    mean, low, high = measured.areas()["deletion"]["leave_one_out"]
    assert low <= mean <= high
    first = np.stack([measured.deletion[name][:, :4].max(1) for name in ("leave_one_out", "random")])
    assert first[0].sum() >= first[1].sum()


def test_methods_are_compared_in_the_pass_that_explains(classifier, monkeypatch):
    calls = []

    def counted(case):
        calls.append(case)
        return METHODS["gradient_x_input"](case)

    monkeypatch.setitem(METHODS, "leave_one_out", counted)
    texts = ["the film is not good", "a bad film"]
    comparison = Comparison(classifier, ["leave_one_out", "attention_rollout"])
    assert len(list(explain(classifier, texts, "leave_one_out", comparison=comparison))) == len(calls) == 2
    together, alone = comparison.result(), faithfulness(classifier, texts, ["leave_one_out", "attention_rollout"])
    for name, curve in alone.deletion.items():
        np.testing.assert_array_equal(together.deletion[name], curve)
    areas = together.areas()["deletion"]
    assert areas.keys() >= {"leave_one_out - random", "attention_rollout - random", "leave_one_out - attention_rollout"}
    difference = areas["leave_one_out"][0] - areas["attention_rollout"][0]
    assert areas["leave_one_out - attention_rollout"][0] == pytest.approx(difference)


@pytest.mark.parametrize(
    ("texts", "settings", "message"),
    [
        (["good"], {"method": "lime"}, "method='lime'.*integrated_gradients"),
        (["good"], {"label": "happy"}, "label 'happy'.*neg, pos"),
        (["good", ""], {}, "Row 1: The text has no words"),
    ],
)
def test_what_cannot_be_explained(texts, settings, message, classifier):
    with pytest.raises((ConfigError, InputError), match=message):
        list(explain(classifier, texts, **settings))


def test_models_without_explanations_are_refused(classifier):
    keras.utils.set_random_seed(0)
    with pytest.raises(ConfigError, match="a model for next_sentence. Explained are classification, "):
        list(explain(NextSentence(Tokenizer(VOCABULARY), **SIZES), (["good"], ["bad"])))
    with pytest.raises(ConfigError, match="bilstm has no attention"):
        list(explain(make(encoder="bilstm"), ["good"], "attention_rollout"))


@pytest.fixture
def verb(tmp_path, classifier, capsys):
    if not (tmp_path / "model").exists():
        classifier.save_pretrained(tmp_path / "model")
    names = [flag.name for flag in VERBS["explain"].flags]

    def call(**given):
        values = dict.fromkeys(names) | {"model": str(tmp_path / "model"), "method": "leave_one_out"} | given
        explain_texts(types.SimpleNamespace(**values), [])
        return capsys.readouterr().out

    return call


def test_the_verb_prints_lines_and_writes_a_page(verb, tmp_path):
    line = json.loads(verb(text="a good film"))
    assert [word["word"] for word in line["words"]] == ["a", "good", "film"]
    (tmp_path / "texts.txt").write_text("the <b>film</b>\nbad\n")
    out = verb(input=str(tmp_path / "texts.txt"), output=str(tmp_path / "page"), compare=True)
    assert out == f"Explanations of 2 texts: {tmp_path}/page/index.html and {tmp_path}/page/explanations.jsonl\n"
    page = (tmp_path / "page/index.html").read_text()
    assert "&lt;" in page and "<b>film" not in page
    assert page.count("data:image/png") == 2
    assert json.loads((tmp_path / "page/faithfulness.json").read_text())["deletion"].keys() >= {"random"}
    assert len((tmp_path / "page/explanations.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "either --text or --input"),
        ({"text": "a", "compare": True}, "--compare without --output"),
        ({"text": "a", "output": "."}, r"\. exists"),
        ({"text": "a", "label": "happy"}, "--text: Received: the label"),
    ],
)
def test_impossible_requests(given, message, verb):
    with pytest.raises((ConfigError, InputError), match=message):
        verb(**given)
