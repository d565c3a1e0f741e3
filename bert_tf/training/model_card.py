"""What a finished run is judged by: a picture of its curves, and the model's card."""

from bert_tf.core import files
from bert_tf.training.callbacks.metrics_logger import METRICS, read_metrics
from bert_tf.training.plots import plot_curves

CURVES = "curves.png"


def write_curves(folder, title, metric="accuracy"):
    """Draws `folder`/metrics.jsonl to `folder`/curves.png; `metric` beside the losses."""
    plot_curves({title: curves_of(read_metrics(folder / METRICS))}, folder / CURVES, metric)


def curves_of(lines):
    """{metric: (steps, values)} of the lines of a metrics.jsonl."""
    curves = {}
    for line in lines:
        for name, value in line.items():
            steps, values = curves.setdefault(name, ([], []))
            steps.append(line["step"])
            values.append(value)
    return curves


def write_card(folder, title, facts, scores):
    """Writes a model's README.md: what it is, what it was trained on and how, and its figures on held-out data.

    Args:
        folder: of the model.
        facts: {what: value}.
        scores: {metric: number}.
    """
    rows = [f"| {name} | {value} |" for name, value in facts.items() if value not in (None, "", ())]
    figures = [f"| {name.replace('_', ' ')} | {value:.4g} |" for name, value in scores.items() if name != "step"]
    lines = [f"# {title}", "", "| | |", "|---|---|", *rows]
    if figures:
        lines += ["", "On held-out data:", "", "| | |", "|---|---|", *figures]
    files.write_text(folder / "README.md", "\n".join(lines) + "\n")
