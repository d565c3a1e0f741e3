"""The score of one answer to all examples, by hand."""

import types

import pytest

from bert_tf.tasks.classification.problem_types import PROBLEM_TYPES
from bert_tf.tasks.multiple_choice.postprocessor import MultipleChoicePostprocessor
from bert_tf.tasks.question_answering.postprocessor import QuestionAnsweringPostprocessor
from bert_tf.tasks.tagging.postprocessor import TaggingPostprocessor


@pytest.mark.parametrize(
    ("problem", "targets", "expected"),
    [
        ("single_label_classification", ["b", "a", "b", "b"], 3 / 4),
        # Always "a" and "b": 3 + 2 of 8 given are right, and 6 were wanted.
        ("multi_label_classification", [["a"], ["a", "b"], ["a", "b"], ["c"]], 2 * 5 / (8 + 6)),
        ("regression", [1.0, 2.0], 0.0),
    ],
)
def test_of_classification(problem, targets, expected):
    labels = ["score"] if problem == "regression" else ["a", "b", "c"]
    assert PROBLEM_TYPES[problem](labels).constant_score(targets) == pytest.approx(expected)


def test_of_other_tasks():
    tags = [["O", "B-X"], ["O"]]
    for scheme, expected in ((None, 2 / 3), ("IOB2", 0.0)):
        found = TaggingPostprocessor.constant_score(types.SimpleNamespace(scheme=scheme), tags)
        assert found == pytest.approx(expected)
    answer = {"text": "x", "answer_start": 0}
    assert QuestionAnsweringPostprocessor.constant_score(None, [[], [answer], [answer], []]) == 0.5
    assert MultipleChoicePostprocessor.constant_score(None, [0, "1", 1, 2]) == 0.5
