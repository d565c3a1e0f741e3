"""Bootstrap confidence intervals of metrics (Efron 1979): the uncertainty that comes from the sample of examples."""

from collections.abc import Callable, Mapping

import numpy as np

RESAMPLES = 1000


def intervals(
    metric_functions: Mapping[str, Callable[[np.ndarray], float]],
    num_examples: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Percentile intervals of metrics over resamples of the N examples with replacement.

    Args:
        metric_functions: {metric: function of example numbers, int [N], to the metric on these examples}.
        num_examples: N.
        level: the share of resamples whose metric lies in the interval.

    Returns:
        {metric: (low, high)}; equal for equal seeds.
    """
    random = np.random.default_rng(seed)
    values: dict[str, list[float]] = {name: [] for name in metric_functions}
    for _ in range(resamples):
        numbers = random.integers(num_examples, size=num_examples)
        for name, metric in metric_functions.items():
            values[name].append(metric(numbers))
    bounds = 50 * (1 - level), 50 * (1 + level)
    found = {}
    for name, resampled in values.items():
        low, high = np.percentile(resampled, bounds)
        found[name] = (float(low), float(high))
    return found
