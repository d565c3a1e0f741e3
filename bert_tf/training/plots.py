"""Plots of training curves."""

import pathlib
from typing import Any

from bert_tf.core import files

HELDOUT = "heldout_"  # prefix of metrics on held-out data
# Losses of another magnitude than the others, which would be flat lines in their panel.
_OWN_PANELS = ("next_sentence_loss", "replaced_token_loss")


def plot_curves(runs: dict[str, dict], path: str | pathlib.Path, metric: str = "accuracy") -> None:
    """Draws losses and a metric of one or more runs as a PNG at `path`: a row per run, a panel per y axis.

    Args:
        runs: {title: {metric: (steps, values)}}; names with the prefix "heldout_" are of held-out data.
        path: of the PNG; it is replaced.
        metric: the last panel has all metrics whose names end with it, those before it the losses.
    """
    import matplotlib

    matplotlib.use("Agg")  # needs no display
    from matplotlib import pyplot

    rows = {title: _panels(curves, metric) for title, curves in runs.items()}
    columns = max(map(len, rows.values()))
    figure, axes = pyplot.subplots(
        len(rows), columns, figsize=(5.2 * columns, 3.8 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, (title, panels) in zip(axes, rows.items(), strict=True):
        for axis in row[len(panels) :]:
            axis.set_visible(False)
        for axis, (name, curves) in zip(row, panels.items(), strict=False):
            _draw(axis, curves)
            axis.set(title=f"{title}: {name}", xlabel="step", ylabel=name)
            if name == _words(metric):
                axis.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    with files.atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)


def _panels(curves: dict, metric: str) -> dict[str, dict]:
    """{label of the y axis: its curves}, without axes that no curve is on."""
    panels: dict[str, dict] = {name: {} for name in map(_words, ("loss", *_OWN_PANELS, metric))}
    for name, curve in curves.items():
        if name.endswith(_OWN_PANELS):
            panels[_words(name.removeprefix(HELDOUT))][name] = curve
        elif name.endswith("loss"):
            panels["loss"][name] = curve
        elif name.endswith(metric):
            panels[_words(metric)][name] = curve
    filled = {name: chosen for name, chosen in panels.items() if chosen}
    return filled or {"loss": {}}


def _draw(axis: Any, curves: dict) -> None:
    """Draws curves with one colour per metric: dashed for training, solid with dots for held-out data."""
    metrics = {name.removeprefix(HELDOUT) for name in curves}
    for color, name in enumerate(sorted(metrics)):
        if name in curves:
            axis.plot(*curves[name], "--", color=f"C{color}", alpha=0.7, label=f"{_words(name)}, training")
        if HELDOUT + name in curves:
            axis.plot(*curves[HELDOUT + name], "o-", ms=3, color=f"C{color}", label=f"{_words(name)}, held out")
    axis.grid(alpha=0.3)
    if curves:
        axis.legend(fontsize=8, loc="best")


def _words(name: str) -> str:
    return name.replace("_", " ")
