"""Targets of a classifier in every form that Python has for them, and class weights by name."""

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.core.errors import InputError
from bert_tf.tasks.classification.task import TextClassifier
from bert_tf.text.tokenizers.wordpiece import Tokenizer
from tests.tasks.samples import SIZES, VOCABULARY

TABLE = np.array([[0, 1, 1], [1, 0, 0]])
HOT = np.eye(3)[[2, 0]]


def encoder(labels, problem_type="single_label_classification"):
    return TextClassifier(Tokenizer(VOCABULARY), labels, problem_type=problem_type, **SIZES).preprocessor.encode_targets


@pytest.fixture(scope="module")
def several():
    return encoder(["a", "b", "c"], "multi_label_classification")


@pytest.fixture(scope="module")
def one():
    return encoder(["a", "b", "c"])


@pytest.mark.parametrize("form", [list, np.ndarray.tolist, tf.constant, lambda table: list(map(tuple, table))])
@pytest.mark.parametrize("dtype", ["int64", "bool", "float32"])
def test_0_and_1_for_each_label_are_the_same_in_a_list_as_in_an_array(several, one, form, dtype):
    np.testing.assert_array_equal(several(form(TABLE.astype(dtype))), TABLE)
    np.testing.assert_array_equal(one(form(HOT.astype(dtype))), [2, 0])


def test_columns_of_a_table_are_read_by_their_names(several, one):
    pandas = pytest.importorskip("pandas")
    np.testing.assert_array_equal(several(pandas.DataFrame({"c": [1, 0], "a": [0, 1], "b": [1, 0]})), TABLE)
    np.testing.assert_array_equal(one(pandas.DataFrame({"c": [1, 0], "a": [0, 1], "b": [0, 0]})), [2, 0])
    np.testing.assert_array_equal(one(pandas.DataFrame({"label": ["c", "a"]})), [2, 0])
    np.testing.assert_array_equal(several(pandas.Series([["b", "c"], ["a"]])), TABLE)


def test_what_may_be_numbers_of_labels_or_0_and_1_is_refused(several):
    np.testing.assert_array_equal(several([["b", 2], [0]]), TABLE)
    with pytest.raises(InputError, match=r"0 and 1 for each label: \[0, 1, 1\] in row 1"):
        several([[2], [0, 1, 1]])
    two = encoder(["1", "0"], "multi_label_classification")
    with pytest.raises(InputError, match="may be numbers of labels"):
        two([[0, 1], [1, 0]])
    np.testing.assert_array_equal(two([[0], [1]]), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(two(np.array([[0, 1], [1, 0]])), [[0, 1], [1, 0]])


def test_a_row_of_two_classes_is_refused(one):
    with pytest.raises(InputError, match=r"Row 1 has the target \[1, 1, 0\]"):
        one([[1, 0, 0], [1, 1, 0]])


def test_columns_of_one_number(one):
    np.testing.assert_array_equal(one(np.array([[2.0], [0.0]])), [2, 0])
    np.testing.assert_array_equal(encoder(["s"], "regression")(np.array([[0.5], [2]])), [[0.5], [2]])


def test_weights_of_classes_that_are_called_by_numbers():
    model = TextClassifier(Tokenizer(VOCABULARY), [1, 0], **SIZES)
    assert model.class_weights({0: 3}) == {0: 1.0, 1: 3.0}
    assert model.class_weights("balanced", [0, 0, 0, 1]) == pytest.approx({0: 2.0, 1: 2 / 3})
    answers = [{"label": "0"}, {"label": "1"}]
    assert model.postprocessor.compute_metrics(answers, [0, 1])["accuracy"] == 1.0
