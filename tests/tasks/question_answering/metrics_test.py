"""Scores of answers against the official SQuAD scripts, and against CMRC's rules worked by hand."""

import numpy as np
import pytest

from bert_tf.tasks.question_answering import metrics

WORDS = ["the", "a", "An", "Norman", "norman,", "conquest", "of", "1066", "U.S.", "-", "x-ray", "", "  ", "été"]


def random_texts(random, most):
    return [" ".join(random.choice(WORDS, random.integers(1, 5))) for _ in range(random.integers(0 if most else 1, 4))]


def as_data_set(references):
    questions = [{"id": str(i), "answers": [{"text": text} for text in right]} for i, right in enumerate(references)]
    return [{"paragraphs": [{"qas": questions}]}]


@pytest.fixture(scope="module")
def answers():
    random = np.random.default_rng(0)
    return random, [" ".join(random.choice(WORDS, random.integers(0, 5))) for _ in range(3000)]


def test_squad_1_as_the_official_script(answers):
    official = pytest.importorskip("official.nlp.tools.squad_evaluate_v1_1")
    random, answers = answers
    references = [random_texts(random, most=False) for _ in answers]
    theirs = official.evaluate(as_data_set(references), {str(i): text for i, text in enumerate(answers)})
    ours = metrics.squad(answers, references)
    assert ours == pytest.approx({"exact_match": theirs["exact_match"], "f1": theirs["final_f1"]})
    assert 0.05 < ours["exact_match"] < ours["f1"] < 0.8


def test_squad_2_as_the_official_script(answers):
    official = pytest.importorskip("official.nlp.tools.squad_evaluate_v2_0")
    random, answers = answers
    references = [random_texts(random, most=True) for _ in answers]
    references = [[text for text in right if metrics.normalize(text)] for right in references]
    theirs = official.evaluate(as_data_set(references), {str(i): text for i, text in enumerate(answers)})
    assert metrics.squad(answers, references) == pytest.approx(
        {
            "exact_match": theirs["exact"] / 100,
            "f1": theirs["f1"] / 100,
            "has_answer_exact_match": theirs["HasAns_exact"] / 100,
            "has_answer_f1": theirs["HasAns_f1"] / 100,
            "no_answer_accuracy": theirs["NoAns_exact"] / 100,
        }
    )


def test_squad_by_hand():
    scores = metrics.squad(["the Normans", "in 1066"], [["Normans."], ["1066", "the year 1066"]])
    assert scores == pytest.approx({"exact_match": 0.5, "f1": (1 + 2 / 3) / 2})


def test_cmrc_by_hand():
    scores = metrics.cmrc(
        # Equal but for punctuation; 4 shared of 8 and 4 characters; 2018 and 年 of 3 and 6 units; nothing shared.
        ["“北京大学”。", "他在北京大学读书", "BERT 2018年", "上海"],
        [["北京大学"], ["北京大学", "南京"], ["bert发表于2018年"], ["广州"]],
    )
    assert scores["exact_match"] == 0.25
    assert scores["f1"] == pytest.approx((1 + 2 * 4 / 12 + 2 * 2 / 9 + 0) / 4)
