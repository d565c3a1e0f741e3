"""Pictures of a judgement: which classes are taken for which, and how much a probability is worth."""

import numpy as np

from bert_tf.core import files

_MOST = 25  # classes that a picture has room for
_BINS = 10


def draw_confusion(names, counts, path):
    """Draws the table of true classes by those found as a PNG, each row in shares of its class.

    Of more classes than there is room for the commonest are shown.
    """
    chosen = np.sort(np.argsort(-counts.sum(1), kind="stable")[:_MOST])
    names, counts = [names[i] for i in chosen], counts[np.ix_(chosen, chosen)]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    with _figure(path, (2.5 + 0.5 * len(names), 2 + 0.45 * len(names))) as panel:
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        panel.set(xticks=range(len(names)), yticks=range(len(names)), xlabel="found", ylabel="right")
        panel.set_xticklabels(names, rotation=45, ha="right")
        panel.set_yticklabels(names)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                color = "white" if shares[row, column] > 0.5 else "black"
                panel.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color=color)


def draw_calibration(sure, right, path):
    """Draws how often answers were right, by the probability that they were given; bars say how many there were."""
    centers, accuracy, counts = reliability(sure, right)
    with _figure(path, (5.5, 4.5)) as panel:
        panel.bar(centers, counts / counts.sum(), 0.9 / _BINS, color="0.85", label="share of the answers")
        panel.plot([0, 1], [0, 1], "--", color="0.5", label="as it should be")
        panel.plot(centers, accuracy, "o-", label="right")
        error = calibration_error(sure, right)
        panel.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="probability given", title=f"Off by {error:.1%} on average")
        panel.legend(loc="upper left", fontsize=8)
        panel.grid(alpha=0.3)


def draw_pairs(truth, found, path):
    """Draws the scores found by the true ones."""
    with _figure(path, (5.5, 4.5)) as panel:
        panel.plot(truth, found, ".", ms=3, alpha=0.5)
        panel.set(xlabel="right", ylabel="found")
        panel.grid(alpha=0.3)


def reliability(sure, right):
    """Of probabilities in bins of a tenth: their means, how often these answers were right, and how many there are."""
    bins = np.minimum((np.asarray(sure) * _BINS).astype(int), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = counts > 0
    means = [np.bincount(bins, values, minlength=_BINS)[filled] / counts[filled] for values in (sure, right)]
    return *means, counts[filled]


def calibration_error(sure, right):
    """The mean distance of probabilities from how often they were right (Guo et al. 2017, equation 3)."""
    centers, accuracy, counts = reliability(sure, right)
    return float(np.average(np.abs(centers - accuracy), weights=counts))


class _figure:  # noqa: N801, used as a statement
    """A picture of one panel, written as a whole when the block ends."""

    def __init__(self, path, size):
        self.path, self.size = path, size

    def __enter__(self):
        import matplotlib

        matplotlib.use("Agg")
        # Chinese names of classes need a font that has them, where there is one.
        matplotlib.rcParams["font.sans-serif"] = ["DejaVu Sans", "Noto Sans CJK SC", "SimHei"]
        from matplotlib import pyplot

        self.pyplot = pyplot
        self.figure, panel = pyplot.subplots(figsize=self.size)
        return panel

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.figure.tight_layout()
            with files.atomic_file(self.path) as temporary:
                self.figure.savefig(temporary, format="png", dpi=110)
        self.pyplot.close(self.figure)
