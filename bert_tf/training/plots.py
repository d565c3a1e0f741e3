"""Pictures of a training run."""

import pathlib

from bert_tf import files


def plot_curves(histories, path):
    """Draws losses and accuracies of one or more `fit` runs, a row of two panels each, as a PNG at `path`.

    Args:
        histories: {title: (steps of each epoch, {metric: values, "val_" metric: values})}.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(histories), 2, figsize=(11, 3.6 * len(histories)), squeeze=False)
    for row, (title, (steps, history)) in zip(axes, histories.items(), strict=True):
        for panel, word in zip(row, ("loss", "accuracy"), strict=True):
            _draw(panel, steps, {name: values for name, values in history.items() if name.endswith(word)})
            panel.set(title=f"{title}: {word}", xlabel="steps", ylabel=word)
        row[1].yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1.0))
    figure.tight_layout()
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    with files.atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)
    pyplot.close(figure)


def _draw(panel, steps, curves):
    """One colour a metric: dashed while training, whole with dots on held-out data."""
    names = [name for name in curves if not name.startswith("val_")]
    for color, name in enumerate(names):
        label = _readable(name)
        panel.plot(steps, curves[name], "--", color=f"C{color}", alpha=0.7, label=f"{label}, training")
        if f"val_{name}" in curves:
            panel.plot(steps, curves[f"val_{name}"], "o-", ms=3, color=f"C{color}", label=f"{label}, held out")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)


def _readable(name):
    """The output that a metric is of; a metric of the whole model keeps its name."""
    for long, short in (("masked_lm_logits_", "masked LM "), ("next_sentence_logits_", "next sentence ")):
        name = name.replace(long, short)
    return name
