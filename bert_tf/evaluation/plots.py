"""Plots of evaluation results as PNG files: confusion matrix, calibration, predicted against true scores."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bert_tf.core import files

# M answers with a confidence, C classes

_MAX_CLASSES = 25  # for which a confusion matrix has room
_BINS = 10


def draw_confusion(names: Sequence[str], counts: np.ndarray, path: str | os.PathLike) -> None:
    """Draws a confusion matrix, int [C, C] with a row per true class; colours are shares of the row.

    Where there are more classes than fit, only the most frequent are drawn.
    """
    most_frequent = np.argsort(-counts.sum(1), kind="stable")[:_MAX_CLASSES]
    chosen = np.sort(most_frequent)  # in the order of the names
    title = "Confusion matrix"
    if len(chosen) < len(names):
        title += f", {len(chosen)} most frequent of {len(names)} classes"
    names, counts = [names[i] for i in chosen], counts[np.ix_(chosen, chosen)]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with _figure(path, (3 + 0.5 * len(names), 2.8 + 0.42 * len(names))) as axes:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_title(f"{title}\n(colour: share of the row)", fontsize=10)
        axes.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="Predicted label", ylabel="True label")
        axes.set_xticklabels(names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticklabels(names)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=color)


def draw_calibration(confidence: np.ndarray, correct: np.ndarray, path: str | os.PathLike) -> None:
    """Draws a reliability diagram: how often answers are right by the probability that the model gave them.

    Args:
        confidence: probabilities in 0 to 1, float [M].
        correct: whether the answers are right, bool [M].
    """
    means, accuracy, counts = reliability(confidence, correct)
    error = calibration_error(confidence, correct)
    lowest_edges = np.minimum((means * _BINS).astype(int), _BINS - 1) / _BINS
    with _figure(path, (5.5, 4.8)) as axes:
        axes.bar(lowest_edges + 0.5 / _BINS, counts / counts.sum(), 0.9 / _BINS, color="0.85", label="share of answers")
        axes.plot([0, 1], [0, 1], "--", color="0.5", label="perfect calibration")
        axes.plot(means, accuracy, "o-", label="accuracy of the model")
        axes.set_title(f"Calibration (expected error {error:.1%})")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Predicted probability", ylabel="Share")
        axes.legend(loc="upper left", fontsize=8)
        axes.set_axisbelow(True)
        axes.grid(alpha=0.3)


def draw_pairs(true: np.ndarray, predicted: np.ndarray, path: str | os.PathLike) -> None:
    """Draws predicted scores against true ones, float [N] each."""
    with _figure(path, (5.5, 4.8)) as axes:
        axes.plot(true, predicted, "o", ms=4, alpha=0.4, mew=0)
        axes.set_title(f"Predicted against true scores ({len(true):,} examples)")
        axes.set(xlabel="True score", ylabel="Predicted score")
        axes.grid(alpha=0.3)


def draw_curves(curves: Mapping[str, np.ndarray], title: str, path: str | os.PathLike) -> None:
    """Draws curves over the share of words, from 0 to 1: {name: float [P]}."""
    with _figure(path, (5.5, 4.2)) as axes:
        for name, values in curves.items():
            style = {"color": "0.5", "linestyle": "--"} if name == "random" else {"marker": "o", "ms": 3}
            axes.plot(np.linspace(0, 1, len(values)), values, label=name.replace("_", " "), **style)
        axes.set_title(title)
        axes.set(xlabel="Share of the words", ylabel="Change of the explained logit")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)


def draw_doses(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], plain: float, title: str, path: str | os.PathLike
) -> None:
    """Draws scores against doses, {name: (doses, scores)}, from the score `plain` at dose 0 on."""
    with _figure(path, (6.4, 4.4)) as axes:
        for name, (doses, scores) in curves.items():
            axes.plot([0, *doses], [plain, *scores], "o-", ms=4, label=name.replace("_", " "))
        axes.set_title(title)
        axes.set(xlabel="Share of the words that are changed", ylabel="Score")
        axes.legend(fontsize=8)
        axes.grid(alpha=0.3)


def draw_roc(curves: Mapping[str, Sequence[tuple[float, float]]], path: str | os.PathLike) -> None:
    """Draws ROC curves of attacks, {name: (false positive rate, true positive rate) of points}, on logarithmic axes.

    The left end, few false positives, is the one that counts for privacy (Carlini et al. 2022).
    """
    lowest = 1e-3
    with _figure(path, (5.5, 4.8)) as axes:
        axes.plot([lowest, 1], [lowest, 1], "--", color="0.5", label="guessing")
        for name, points in curves.items():
            false, found = np.maximum(np.array(points), lowest).T
            axes.plot(false, found, label=name)
        axes.set(xscale="log", yscale="log", xlim=(lowest, 1), ylim=(lowest, 1))
        axes.set_title("Membership inference")
        axes.set(xlabel="Share of other examples taken for members", ylabel="Share of members found")
        axes.legend(loc="upper left", fontsize=8)
        axes.grid(alpha=0.3)


def draw_parts(
    names: Sequence[str], scores: Sequence[float], intervals: Sequence[tuple[float, float]], path: str | os.PathLike
) -> None:
    """Draws the scores of parts of the examples with their intervals, one below the other, in the given order."""
    places = range(len(names), 0, -1)
    with _figure(path, (7, 1.2 + 0.32 * len(names))) as axes:
        axes.hlines(places, [low for low, _ in intervals], [high for _, high in intervals], color="0.6")
        axes.plot(scores, places, "o")
        axes.set(yticks=places, ylim=(0.4, len(names) + 0.6), xlabel="Score, 95 % interval")
        axes.set_yticklabels(names, fontsize=8)
        axes.grid(axis="x", alpha=0.3)


def draw_tradeoff(
    costs: Mapping[str, Sequence[float]],
    scores: Sequence[float],
    names: Sequence[str],
    chosen: str,
    path: str | os.PathLike,
) -> None:
    """Draws the scores of M models, named `names`, against each of their costs, {axis: M numbers}, side by side."""
    with _figure(path, (5.2 * len(costs), 4.2), len(costs)) as panels:
        for axes, (axis, values) in zip(panels, costs.items(), strict=True):
            axes.plot(values, scores, "o-", color="0.6", zorder=1)
            for name, value, score in zip(names, values, scores, strict=True):
                if name == chosen:
                    axes.plot(value, score, "o", ms=11, color="tab:blue", label="chosen")
                axes.annotate(name, (value, score), (5, 6), textcoords="offset points", fontsize=8)
            axes.set(xlabel=axis, ylabel="Score")
            axes.margins(0.15)
            axes.set_xlim(left=0)
            axes.grid(alpha=0.3)
            axes.legend(loc="lower right", fontsize=8)


def reliability(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and number of answers in each of ten equal bins of confidence that is not empty."""
    bins = np.minimum((np.asarray(confidence) * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = counts > 0
    means = np.bincount(bins, confidence, minlength=_BINS)[filled] / counts[filled]  # [filled bins]
    accuracy = np.bincount(bins, correct, minlength=_BINS)[filled] / counts[filled]  # [filled bins]
    return means, accuracy, counts[filled]


def calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3): mean distance of confidence and accuracy over bins."""
    means, accuracy, counts = reliability(confidence, correct)
    return float(np.average(np.abs(means - accuracy), weights=counts))


@contextlib.contextmanager
def _figure(path: str | os.PathLike, size: tuple[float, float], panels: int = 1) -> Iterator[Any]:
    """The axes of a new figure, which is written to `path` at the end of the block if it raised nothing.

    With several `panels` they are an array of axes, side by side.
    """
    import matplotlib

    matplotlib.use("Agg")
    # Class names may be Chinese: a font that has the characters, where one is installed.
    matplotlib.rcParams["font.sans-serif"] = ["DejaVu Sans", "Noto Sans CJK SC", "SimHei"]
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, panels, figsize=size, layout="constrained")
    try:
        yield axes
        with files.atomic_file(path) as temporary:
            figure.savefig(temporary, format="png", dpi=110)
    finally:
        pyplot.close(figure)
