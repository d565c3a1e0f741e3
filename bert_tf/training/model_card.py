"""The training curves and the model card of a finished run."""

import pathlib

from bert_tf.core import files
from bert_tf.training.callbacks.metrics_logger import METRICS, read_metrics
from bert_tf.training.plots import plot_curves

CURVES = "curves.png"


def write_curves(folder: pathlib.Path, title: str, metric: str = "accuracy") -> None:
    """Plots `folder`/metrics.jsonl to `folder`/curves.png: the losses, and the metrics that end with `metric`."""
    plot_curves({title: curves_of(read_metrics(folder / METRICS))}, folder / CURVES, metric)


def curves_of(lines: list[dict]) -> dict[str, tuple[list, list]]:
    """Curves {metric: (steps, values)} from the lines of a metrics.jsonl."""
    curves: dict[str, tuple[list, list]] = {}
    for line in lines:
        for name, value in line.items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(line["step"])
            values.append(value)
    return curves


def write_card(folder: pathlib.Path, title: str, facts: dict, scores: dict[str, float]) -> None:
    """Writes a model's README.md: what it is, how it was trained, and its metrics on held-out data.

    Args:
        folder: of the model.
        facts: {name: value}; empty values are left out.
        scores: {metric: number}.
    """
    table_head = ["| | |", "|---|---|"]
    lines = [f"# {title}", "", *table_head]
    for name, value in facts.items():
        if value not in (None, "", ()):
            lines.append(f"| {name} | {value} |")
    figures = [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in scores.items() if name != "step"]
    if figures:
        lines += ["", "On held-out data:", "", *table_head, *figures]
    files.write_text(folder / "README.md", "\n".join(lines) + "\n")
