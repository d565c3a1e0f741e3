"""Counts worked by hand."""

import numpy as np

from bert_tf.evaluation.results import ErrorExample, class_table, confusion_counts, most_severe


def test_class_table_by_hand():
    counts = confusion_counts(np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 1, 0]), 2)
    assert counts.tolist() == [[1, 1], [1, 2]]
    table = class_table(["a", "b"], counts.sum(1), counts.sum(0), counts.diagonal())
    assert table["b"] == {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "rows": 3}


def test_true_classes_are_rows():
    assert confusion_counts(np.array([0, 0, 2]), np.array([1, 1, 2]), 3).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_the_worst_errors_come_first():
    errors = [ErrorExample(severity, f"line {i}", "", "", "") for i, severity in enumerate([0.2, 0.9, 0.5, 0.9])]
    assert [error.place for error in most_severe(errors, 3)] == ["line 1", "line 3", "line 2"]
