"""Training curves: what is drawn on which axis, read back from the figure."""

import pytest
from matplotlib.figure import Figure

from bert_tf.training.plots import plot_curves


@pytest.fixture
def figures(monkeypatch):
    found = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: (found.append(figure), save(figure, *a, **k)))
    return found


def curves(**ends):
    return {name: ([1, 2, 3], [end + 0.2, end + 0.1, end]) for name, end in ends.items()}


def test_each_y_axis_has_its_own_panel(figures, tmp_path):
    pretraining = curves(loss=6.7, heldout_loss=6.8, masked_lm_loss=6.0, next_sentence_loss=0.6, learning_rate=1e-4)
    pretraining |= curves(heldout_masked_lm_accuracy=0.2, heldout_next_sentence_loss=0.7)
    tuning = curves(loss=0.3, heldout_loss=0.4, accuracy=0.9, heldout_accuracy=0.8)
    plot_curves({"pretraining": pretraining, "classifier": tuning}, tmp_path / "a.png")
    panels = [axes for axes in figures[0].axes if axes.get_visible()]
    assert [(axes.get_title(), axes.get_ylabel(), axes.get_xlabel()) for axes in panels] == [
        ("pretraining: loss", "loss", "step"),
        ("pretraining: next sentence loss", "next sentence loss", "step"),
        ("pretraining: accuracy", "accuracy", "step"),
        ("classifier: loss", "loss", "step"),
        ("classifier: accuracy", "accuracy", "step"),
    ]
    names = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in panels]
    assert names[0] == ["loss, training", "loss, held out", "masked lm loss, training"]
    assert names[1] == ["next sentence loss, training", "next sentence loss, held out"]
    assert names[3] == ["loss, training", "loss, held out"]
    for axes in panels:
        inside = axes.get_legend().get_window_extent().get_points()
        assert axes.get_window_extent().contains(*inside[0]) and axes.get_window_extent().contains(*inside[1])
        assert axes.get_shared_x_axes().get_siblings(axes) == [axes]  # no second y axis


def test_a_run_without_curves_is_drawn_empty(figures, tmp_path):
    plot_curves({"nothing": {}}, tmp_path / "a.png", "f1")
    assert [axes.get_title() for axes in figures[0].axes] == ["nothing: loss"]
