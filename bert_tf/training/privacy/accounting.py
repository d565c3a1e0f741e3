"""The privacy that DP-SGD spends, and the noise that it needs, by the package `dp-accounting`."""

import functools
import math
from collections.abc import Callable
from typing import Any

from bert_tf.core.errors import ConfigError

_LEAST, _MOST = 0.05, 1e4  # noise multipliers that are tried
_TOLERANCE = 2e-3  # of the multiplier, relative
_ORDERS = (*range(2, 33), 48, 64, 128, 256, 512)  # of Renyi divergences; those of whole orders are quick to compute
_INTERVAL = 1e-3  # to a multiple of which privacy losses are rounded up, so that epsilon is never too small


@functools.cache
def epsilon_of(noise_multiplier: float, rate: float, steps: int, delta: float) -> float:
    """The epsilon of a run, for neighbouring data sets that differ by one example more or less.

    The accountant is that of privacy loss distributions (Koskela et al. 2020).

    Args:
        noise_multiplier: standard deviation of the noise, in clipping norms; 0 gives infinity.
        rate: probability of an example to be in a batch, in (0, 1].
        steps: of the run.
        delta: in (0, 1).

    Raises:
        ConfigError: `dp-accounting` is not installed.
    """
    if not noise_multiplier:
        return math.inf
    _package()
    from dp_accounting import pld

    accountant = pld.PLDAccountant(value_discretization_interval=_INTERVAL)
    return float(accountant.compose(_event(noise_multiplier, rate, steps)).get_epsilon(delta))


@functools.cache  # seconds of work
def noise_multiplier_for(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """The smallest noise multiplier with which a run spends at most `epsilon`; arguments as for `epsilon_of`.

    Raises:
        ConfigError: `dp-accounting` is not installed, or no noise below 10,000 is enough.
    """
    # Renyi divergences bound epsilon too, less tightly and a thousand times faster: the search begins from theirs.
    high = _smallest(lambda multiplier: _renyi_epsilon(multiplier, rate, steps, delta) <= epsilon, _LEAST, _MOST)
    if high is None:
        raise ConfigError(
            f"Received: privacy.epsilon={epsilon:g}, privacy.delta={delta:g} for {steps:,} steps at the sampling rate "
            f"{rate:.2g}. No sensible noise gives that: raise epsilon, or take fewer epochs or smaller batches."
        )
    found = _smallest(lambda multiplier: epsilon_of(multiplier, rate, steps, delta) <= epsilon, high / 1.5, high)
    return high if found is None else found


def _smallest(enough: Callable[[float], bool], low: float, high: float) -> float | None:
    """The smallest number between the two that is enough, at most `_TOLERANCE` too large; None if `high` is not."""
    if not enough(high):
        return None
    while high > low * (1 + _TOLERANCE):
        middle = math.sqrt(low * high)
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def _renyi_epsilon(noise_multiplier: float, rate: float, steps: int, delta: float) -> float:
    _package()
    from dp_accounting import rdp

    return float(rdp.RdpAccountant(_ORDERS).compose(_event(noise_multiplier, rate, steps)).get_epsilon(delta))


def _event(noise_multiplier: float, rate: float, steps: int) -> Any:
    package = _package()
    step = package.PoissonSampledDpEvent(rate, package.GaussianDpEvent(noise_multiplier))
    return package.SelfComposedDpEvent(step, steps)


def _package() -> Any:
    try:
        import dp_accounting
    except ImportError:
        raise ConfigError("privacy needs the package dp-accounting: pip install 'bert_tf[privacy]'.") from None
    return dp_accounting
