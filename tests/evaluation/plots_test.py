"""Calibration worked by hand, and plots whose text is read back from the figure."""

import numpy as np
import pytest

from bert_tf.evaluation.plots import calibration_error, draw_calibration, draw_confusion, draw_pairs, reliability


def test_calibration_by_hand():
    confidence, correct = np.array([0.95, 0.91, 0.55, 1.0]), np.array([True, False, True, True])
    means, accuracy, counts = reliability(confidence, correct)
    assert counts.tolist() == [1, 3]
    np.testing.assert_allclose(means, [0.55, (0.95 + 0.91 + 1) / 3])
    np.testing.assert_allclose(accuracy, [1, 2 / 3])
    assert calibration_error(confidence, correct) == pytest.approx(0.45 / 4 + (2.86 / 3 - 2 / 3) * 3 / 4)


@pytest.fixture
def figures(monkeypatch):
    """Figures that were written, as they were drawn."""
    from matplotlib.figure import Figure

    found = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (found.append(figure), save(figure, *a, **k)))
    return found


def test_confusion_matrix_of_the_most_frequent_classes(figures, tmp_path):
    counts = np.diag(np.arange(1, 31))  # class i has i + 1 examples
    counts[29, 28] = 7
    draw_confusion([f"c{i}" for i in range(30)], counts, tmp_path / "a.png")
    (axes,) = figures[0].axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Predicted label", "True label")
    assert axes.get_title().startswith("Confusion matrix, 25 most frequent of 30 classes")
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"c{i}" for i in range(5, 30)]
    assert {text.get_position(): text.get_text() for text in axes.texts}[23, 24] == "7"  # x: predicted, y: true
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_plots_name_their_axes(figures, tmp_path):
    draw_calibration(np.array([0.1, 0.95]), np.array([False, True]), tmp_path / "a.png")
    draw_pairs(np.array([1.0, 2.0]), np.array([1.5, 1.0]), tmp_path / "b.png")
    calibration, pairs = (figure.axes[0] for figure in figures)
    assert calibration.get_title() == "Calibration (expected error 7.5%)"
    names = [text.get_text() for text in calibration.get_legend().get_texts()]
    assert names == ["perfect calibration", "accuracy of the model", "share of answers"]
    assert (pairs.get_xlabel(), pairs.get_ylabel()) == ("True score", "Predicted score")
    assert pairs.lines[0].get_xydata().tolist() == [[1.0, 1.5], [2.0, 1.0]]


def test_a_plot_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match="shape"):
        draw_pairs(np.zeros(3), np.zeros(2), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
