"""Plots of training curves."""

import pathlib
from typing import Any

from bert_tf.core import files

HELDOUT = "heldout_"  # prefix of metrics on held-out data


def plot_curves(runs: dict[str, dict], path: str | pathlib.Path, metric: str = "accuracy") -> None:
    """Draws losses and accuracies of one or more runs, two panels per run, as a PNG at `path`.

    Args:
        runs: {title: {metric: (steps, values)}}; names with the prefix "heldout_" are of held-out data.
        path: of the PNG; it is replaced.
        metric: the right panel has all metrics whose names end with it, the left one the losses.
    """
    import matplotlib

    matplotlib.use("Agg")  # needs no display
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(runs), 2, figsize=(14, 3.6 * len(runs)), squeeze=False)
    for row, (title, curves) in zip(axes, runs.items(), strict=True):
        for panel, word in zip(row, ("loss", metric), strict=True):
            chosen = {name: curve for name, curve in curves.items() if name.endswith(word)}
            _draw(panel, chosen)
            panel.set(title=f"{title}: {word}", xlabel="steps", ylabel=word)
        row[1].yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    figure.tight_layout()
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)


def _draw(panel: Any, curves: dict) -> None:
    """Draws curves with one colour per metric: dashed for training, solid with dots for held-out data."""
    metrics = {name.removeprefix(HELDOUT) for name in curves}
    for color, name in enumerate(sorted(metrics)):
        label = name.replace("_", " ")
        if name in curves:
            panel.plot(*curves[name], "--", color=f"C{color}", alpha=0.7, label=f"{label}, training")
        if HELDOUT + name in curves:
            panel.plot(*curves[HELDOUT + name], "o-", ms=3, color=f"C{color}", label=f"{label}, held out")
    panel.grid(alpha=0.3)
    if curves:
        panel.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the curves, not on them
