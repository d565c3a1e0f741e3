"""How far a metric may be off because the rows that it is measured on are a sample (Efron 1979)."""

import numpy as np

RESAMPLES = 1000


def intervals(measures, rows, resamples=RESAMPLES, seed=0, level=0.95):
    """Percentile intervals of metrics over resamples of N rows with replacement.

    Args:
        measures: {metric: function of row numbers, int [N], to the metric on these rows}.
        rows: their number, N.

    Returns:
        {metric: (low, high)}; the same for the same seed.
    """
    random = np.random.default_rng(seed)
    values = {name: [] for name in measures}
    for _ in range(resamples):
        numbers = random.integers(rows, size=rows)
        for name, measure in measures.items():
            values[name].append(measure(numbers))
    tails = 50 * (1 - level), 50 * (1 + level)
    return {name: tuple(map(float, np.percentile(found, tails))) for name, found in values.items()}
