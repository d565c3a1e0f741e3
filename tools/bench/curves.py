"""Compares the losses of 200 steps in bfloat16 and float32 on real text, and those of another seed."""

import itertools

import numpy as np

from bench import contenders
from bench.figures import subplots, table
from bench.runner import Case, Race
from bench.text import LENGTH, prepare, records_of

TITLE = "Loss in bfloat16 and in float32"
NEEDS = ("tensorflow",)
FOLDERS = ("data", "init")
WINDOW = 20  # steps of the running mean, because batches differ more than dtypes

__all__ = ["prepare"]


def races(options):
    """Both dtypes with the same weights, batches and dropout masks, and float32 with another seed."""
    size = {"layers": 2, "hidden": 64} if options.quick else {"layers": 4, "hidden": 256}
    settings = size | {"rows": 8 if options.quick else 16, "length": LENGTH, "learning_rate": 5e-4}
    settings["steps"] = 30 if options.quick else 200
    runs = [("float32", 0), ("bfloat16", 0), ("float32", 1)]
    if "bert_tf" not in options.only:
        return []
    return [Race([Case("curves", "bert_tf", settings | {"dtype": dtype, "seed": seed}) for dtype, seed in runs], 1)]


def bert_tf(settings, paths, meter):
    """Trains on packed rows of WikiText-2; the seed changes the weights and dropout, not the batches."""
    from bert_tf.data.pipeline.pretraining_dataset import make_dataset

    steps = settings["steps"]
    data = make_dataset(records_of("wikitext2", paths), settings["rows"], pack_length=LENGTH)
    model = contenders.make_bert_tf(settings, meter)

    def run():
        losses = list(map(contenders.step_of(model), itertools.islice(data, steps)))
        return {"losses": losses, "steps": steps, "units": steps * settings["rows"] * LENGTH}

    return run


CONTENDERS = {"bert_tf": bert_tf}


def smooth(losses):
    """Running means over `WINDOW` steps."""
    return np.convolve(losses, np.ones(WINDOW) / WINDOW, "valid")


def curves_of(store):
    """{(dtype, seed): smoothed losses}."""
    return {
        (found.settings["dtype"], found.settings["seed"]): smooth(found.rounds[0]["losses"])
        for found in store.of("curves")
    }


def describe(store):
    """Tables of the first and last losses, and of the differences between runs."""
    curves = curves_of(store)
    pairs = [(one, other) for one, other in itertools.combinations(sorted(curves), 2) if _differ_in_one(one, other)]
    rows = []
    for one, other in pairs:
        differences = curves[one] - curves[other]
        cells = [np.abs(differences).mean(), np.abs(differences).max(), differences[-1]]
        rows.append([f"{_label(one)} − {_label(other)}", *(f"{value:.4f}" for value in cells)])
    ends = [[_label(run), f"{curve[0]:.4f}", f"{curve[-1]:.4f}"] for run, curve in curves.items()]
    text = f"Losses, means over {WINDOW} steps.\n\n{table(['', 'first', 'last'], ends)}"
    return f"{text}\n{table(['difference', 'mean absolute', 'max absolute', 'at the end'], rows)}"


def _differ_in_one(one, other):
    """Whether two runs differ either in the dtype or in the seed."""
    return (one[0] == other[0]) != (one[1] == other[1])


def _label(run):
    return f"{run[0]}, seed {run[1]}"


def plot(store, path):
    """Plots the losses and their differences."""
    figure, (left, right) = subplots(2)
    curves = curves_of(store)
    for run, curve in curves.items():
        style = "-" if run[0] == "float32" else "--"
        left.plot(curve, style, label=_label(run), color=f"C{run[1]}", linewidth=1)
    for one, other in itertools.combinations(sorted(curves), 2):
        if _differ_in_one(one, other):
            style = "-" if one[0] != other[0] else ":"
            right.plot(curves[one] - curves[other], style, label=f"{_label(one)} − {_label(other)}", linewidth=1)
    left.set_title(f"loss, means over {WINDOW} steps", fontsize=9)
    right.set_title("difference of losses", fontsize=9)
    for axis in (left, right):
        axis.set_xlabel("step", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.legend(fontsize=6)
    figure.savefig(path, dpi=110)
