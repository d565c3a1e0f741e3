"""Swapped names and genders, and negations, in English and Chinese."""

import numpy as np
import pytest

from bert_tf.text.counterfactuals import COUNTERFACTUALS, negate, swap_gender, swap_names


def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("He thanked his Mother.", "She thanked her Father."),
        ("THE KING and the queen", "THE QUEEN and the king"),
        ("She told him", "He told her"),
        ("the theme of the shed", "the theme of the shed"),
        ("他说女士们", "她说先生们"),
    ],
)
def test_genders(text, swapped):
    assert swap_gender(text, random()) == swapped


def test_names_are_swapped_for_others_and_the_same_for_the_same():
    changed = swap_names("James met Mary; James, not Marylou, left. 张伟和王芳，张伟走了。", random()).replace(
        ";", " ;"
    )
    words = changed.split()
    assert "Marylou," in words
    assert words[0] == words[4].rstrip(",") != "James"
    assert words[2] not in ("Mary", words[0])
    assert "张伟" not in changed and "王芳" not in changed


@pytest.mark.parametrize(
    ("text", "negated"),
    [
        ("It was good and is fun.", "It was not good and is fun."),
        ("nothing here", "nothing here"),
        ("这部电影很好看", "这部电影不好看"),
        ("他不是演员", "他不是演员"),
    ],
)
def test_negations(text, negated):
    assert negate(text, random()) == negated


def test_only_a_negation_changes_right_answers():
    assert [name for name, (_, keeps_answer) in COUNTERFACTUALS.items() if not keeps_answer] == ["negation"]
