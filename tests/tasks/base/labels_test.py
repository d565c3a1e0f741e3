"""Classes found by name or by place: one of them where it can be known which is meant, else an error."""

import types

import numpy as np
import pytest

from bert_tf.core.errors import InputError
from bert_tf.tasks.base.labels import LabelIndex
from bert_tf.tasks.classification.targets import ClassificationTargets
from bert_tf.tasks.tagging.targets import TaggingTargets


@pytest.mark.parametrize(
    ("labels", "targets", "numbers"),
    [
        (
            ["neg", "pos"],
            [1, 0, "pos", b"neg", np.int64(1), 1.0, True, np.bool_(False), "pos "],
            [1, 0, 1, 0, 1, 1, 1, 0, 1],
        ),
        (["1", "0"], [0, 1, "0", True, 1.0, np.float32(0)], [1, 0, 1, 0, 0, 1]),
        (["1", "2", "3"], [1, 3, "2"], [0, 2, 1]),
        (["0", "1", "other"], [0, 1, 2], [0, 1, 2]),
        (["-1", "1"], [1, -1], [1, 0]),
        (["1.0", "0.0"], [1, 0, 0.0], [0, 1, 1]),
        (["0.5", "1.5"], [1.5, 0.5], [1, 0]),
        (["True", "False"], [True, False, np.True_], [0, 1, 0]),
        (["true", "false"], [True, False], [0, 1]),
        (["pos ", "pos"], ["pos", "pos "], [1, 0]),
        (["1 star", "2 stars"], [1, 0], [1, 0]),
    ],
)
def test_number_of_a_target(labels, targets, numbers):
    index = LabelIndex(labels)
    assert [index.number(target, 0) for target in targets] == numbers


@pytest.mark.parametrize(
    ("labels", "target"),
    [
        (["1", "2", "3"], 0),  # the first by place, or a class that is not there
        (["1", "2", "4", "5"], 3),
        (["01", "02"], 1),
        (["cat", "0", "dog"], 2),
        (["True", "False"], 2),
        (["neg", "pos"], 2),
        (["neg", "pos"], -1),
        (["neg", "pos"], 0.5),
        (["neg", "pos"], float("nan")),
        (["neg", "pos"], "1"),
        (["neg", "pos"], ""),
        (["neg", "pos"], None),
    ],
)
def test_a_target_that_could_be_another_class_is_refused(labels, target):
    with pytest.raises(InputError, match="Row 7 has the label"):
        LabelIndex(labels).number(target, 7)


def examples(targets):
    return types.SimpleNamespace(targets=targets, path="a.jsonl")


def test_a_number_in_a_file_that_training_did_not_have_is_no_class():
    seen = ClassificationTargets({}).find_labels(examples(["1", "2", "4", "5", " 1", "", None, float("nan"), ["1"]]))
    assert seen == ["1", "2", "4", "5"]
    assert ClassificationTargets({"labels": seen}).convert(["3", 3, "5 "]) == ["3", "3", "5"]
    places = ClassificationTargets({"labels": ["neg", "pos"]}).convert(["1", 0, "pos ", "9" * 5000])
    assert places[:3] == [1, 0, "pos"]
    with pytest.raises(InputError, match="no class in any row"):
        ClassificationTargets({}).find_labels(examples(["", " "]))


def test_cells_of_several_labels():
    settings = {"problem_type": "multi_label_classification"}
    targets = ClassificationTargets(settings)
    assert targets.find_labels(examples(["a, b", "", ["b", " c", ""], "a ,"])) == ["a", "b", "c"]
    with pytest.raises(InputError, match="0 and 1 for each label. Set model.labels"):
        targets.find_labels(examples(["0,1,1", [1, 0, 0]]))
    named = ClassificationTargets(settings | {"labels": ["a", "b", "c"]})
    assert named.convert(["0,1,1", [0, 1, 1], 2, "c , a"]) == [[0, 1, 1], [0, 1, 1], [2], ["c", "a"]]


def test_numbers_are_tags():
    targets = TaggingTargets({})
    assert targets.find_labels(examples([[0, 2], [1], "no list"])) == ["0", "1", "2"]
    assert TaggingTargets({"labels": ["0", "1", "2"]}).convert([[0, 2], [3]]) == [["0", "2"], ["3"]]
    assert TaggingTargets({"labels": ["O", "B-PER"]}).convert([[0, "1"], ["B-PER"]]) == [["O", "B-PER"], ["B-PER"]]
