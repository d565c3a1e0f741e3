"""The word-substitution attack: which words it takes, its budget, pairs, and the substitutes that it may take."""

import keras
import numpy as np
import pytest

from bert_tf.core.config import TextConfig
from bert_tf.evaluation.attack import attack, can_attack, summarize
from bert_tf.evaluation.audit_config import AuditConfig
from bert_tf.evaluation.audit_report import _marked
from bert_tf.evaluation.results import EvaluationResult
from bert_tf.evaluation.substitutes import Substitutes
from bert_tf.tasks import FillMask, TextClassifier
from bert_tf.text.opposites import are_opposites
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES

WORDS = ["good", "fine", "bad", "film", "Movie", "the", "is", "not", "影", "片", "s", "##s"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
SETTINGS = SIZES | {"vocab_size": len(VOCABULARY), "initializer_range": 0.5}
SUBSTITUTES = {"good": ["fine", "bad"], "film": ["movie"], "great": ["bad"]}
WORTH = {"good": 2.0, "fine": 1.0, "great": 1.5, "film": 0.3, "movie": 0.1, "bad": -1.0}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return TextClassifier(Tokenizer(VOCABULARY), ["neg", "pos"], **SETTINGS)


@pytest.fixture
def judge(model, monkeypatch):
    """The model answers "pos" where the words of a text are worth more than 1; returns the requests that it gets."""
    asked = []

    def predict_text(columns):
        answers = []
        for texts in zip(*columns, strict=True):
            asked.append(texts)
            worth = sum(WORTH.get(word, 0.0) for word in " ".join(texts).lower().split()) - 1.0
            positive = float(1 / (1 + np.exp(-worth)))
            answers.append({"probabilities": {"neg": 1 - positive, "pos": positive}})
        return answers

    monkeypatch.setattr(model, "predict_text", predict_text)
    return asked


class Table:
    """Substitutes from a table."""

    def __call__(self, text, places):
        return [SUBSTITUTES.get(text[start:end], []) for start, end in places]


def run(model, columns, right, **settings):
    config = AuditConfig(**({"substituted": 1.0} | settings))
    examples = type("Examples", (), {"texts": columns, "__len__": lambda self: len(columns[0])})()
    probabilities = np.array([list(answer["probabilities"].values()) for answer in model.predict_text(columns)])
    plain = EvaluationResult({}, {}, probabilities=(probabilities, np.array(right)))
    assert can_attack(model, examples, plain)
    return list(attack(model, examples, plain, config, Table())), config


def test_the_most_important_word_is_substituted_first(model, judge):
    (attempt,), config = run(model, (["the film is good"],), [1])
    # "good" counts most; "fine", the nearest, does not change the answer, and "bad" does.
    assert attempt.words == [{"text": 0, "start": 12, "end": 16, "word": "good", "substitute": "bad"}]
    assert (attempt.before, attempt.after, attempt.target) == ("pos", "neg", "pos")
    assert attempt.queries == 4 + 2  # each word left out, and both substitutes
    assert len(judge) == 1 + attempt.queries
    assert judge[-1] == ("the film is bad",)
    assert _marked(attempt) == "the film is ~~good~~ **bad**"
    found = summarize([attempt], config)
    assert (found.accuracy[0], found.attacked[0], found.changed) == (1.0, 0.0, 0.25)


def test_words_are_added_up_until_the_answer_changes(model, judge, monkeypatch):
    monkeypatch.setitem(SUBSTITUTES, "good", ["fine"])  # alone not enough
    (attempt,), _ = run(model, (["film good"],), [1])
    assert [(word["word"], word["substitute"]) for word in attempt.words] == [("film", "movie"), ("good", "fine")]
    assert attempt.after == "pos"  # 1.1 is worth more than 1: it holds
    monkeypatch.setitem(WORTH, "movie", -0.1)
    (attempt,), _ = run(model, (["film good"],), [1])
    assert (attempt.after, attempt.holds) == ("neg", False)


def test_the_budget_and_the_share_of_words_hold(model, judge):
    (attempt,), _ = run(model, (["the film is good"],), [1], queries=5)
    assert attempt.queries == 5  # one is left for "fine"
    assert [word["substitute"] for word in attempt.words] == ["fine"]
    assert attempt.holds
    (attempt,), _ = run(model, (["good good film"],), [1], substituted=0.1)
    assert len(attempt.words) == 1  # one word at least may be


def test_wrong_answers_are_not_attacked_and_count(model, judge):
    attempts, config = run(model, (["the film", "good"],), [1, 1], attacked_texts=2)
    wrong = next(attempt for attempt in attempts if attempt.texts == ("the film",))
    assert (wrong.queries, wrong.words, wrong.holds) == (0, [], False)
    found = summarize(attempts, config)
    assert (found.rows, found.accuracy[0], found.attacked[0]) == (2, 0.5, 0.0)
    assert len(found.examples) == 1
    assert len(run(model, (["good"] * 9,), [1] * 9, attacked_texts=4)[0]) == 4


def test_both_texts_of_a_pair_are_attacked(model, judge, monkeypatch):
    monkeypatch.setitem(SUBSTITUTES, "good", ["fine"])
    monkeypatch.setitem(WORTH, "movie", -0.1)
    (attempt,), _ = run(model, (["film"], ["is good"]), [1])
    assert [(word["text"], word["substitute"]) for word in attempt.words] == [(0, "movie"), (1, "fine")]
    assert judge[-1] == ("movie", "is fine")
    assert _marked(attempt) == "~~film~~ **movie** / is ~~good~~ **fine**"


def place(model, vectors):
    """Gives words these embeddings."""
    table = model.encoder.token_embedding.embeddings
    values = table.numpy()
    for word, vector in vectors.items():
        values[VOCABULARY.index(word)] = 0
        values[VOCABULARY.index(word)][: len(vector)] = vector
    table.assign(values)


def test_neighbours_are_whole_words_of_the_same_script(model):
    place(model, {"good": [1, 0.1], "fine": [1, 0], "bad": [1, 0.2], "film": [0, 1], "Movie": [0.9, 1]})
    place(model, {"影": [1, 0.5], "片": [0.5, 1], "not": [1, 0], "s": [1, 0], "##s": [0, 0]})
    found = Substitutes(model)("Good film is 影 not films", [(0, 4), (5, 9), (10, 12), (13, 14), (15, 18), (19, 24)])
    assert found[0] == ["Fine", "Movie"]  # the nearest first, in the case of the word; not its opposite, nor "film"
    assert found[1] == ["Movie"]
    assert found[2] == found[4] == []  # function words
    assert found[3] == ["片"]
    assert found[5] == ["Movie"]  # near "film" and "##s", which are its tokens and no substitutes


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("good", "terrible", True),
        ("terrible", "good", True),
        ("good", "great", False),
        ("popular", "unpopular", True),
        ("unpopular", "popular", True),
        ("film", "films", False),
        ("大", "小", True),
        ("old", "young", True),
        ("old", "new", True),
    ],
)
def test_opposites(first, second, expected):
    assert are_opposites(first, second) is expected


def test_a_masked_lm_has_to_expect_a_substitute(model, monkeypatch):
    monkeypatch.setattr("bert_tf.evaluation.substitutes.EXPECTED", 2)
    keras.utils.set_random_seed(0)
    expected = FillMask(Tokenizer(VOCABULARY, TextConfig(special_tokens=True)), max_length=8, **SETTINGS)
    place(model, {"good": [1, 0.1], "fine": [1, 0.5], "bad": [1, 0], "film": [1, 1], "Movie": [0.9, 1]})
    likely = [VOCABULARY.index("fine"), VOCABULARY.index("##s")]

    def call(inputs, training=None):
        keep = keras.ops.shape(inputs["masked_lm_positions"])
        logits = keras.ops.zeros((keep[0], keep[1], len(VOCABULARY)))
        return logits + keras.ops.sum(keras.ops.one_hot(np.array(likely), len(VOCABULARY)), 0)

    monkeypatch.setattr(expected, "call", call)
    substitutes = Substitutes(model, expected)
    assert substitutes("good film", [(0, 4), (5, 9)]) == [["fine"], ["fine"]]
    text = "good " * 10  # the row has 8 tokens
    assert substitutes(text, [(0, 4), (40, 44)]) == [["fine"], []]
