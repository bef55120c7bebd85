"""Statistics of weighted samples: quantiles, intervals, effective sample size, resampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray

QUANTILES = {"q025": 0.025, "q16": 0.16, "median": 0.5, "q84": 0.84, "q975": 0.975}


def statistics(x: FloatArray, weight: FloatArray) -> dict[str, float]:
    """Return the mean, standard deviation, quantiles and shortest 68 % interval of weighted values.

    Parameters
    ----------
    x, weight : (n,) array
        Values, and weights of any sum.

    Returns
    -------
    dict of str to float
        ``mean``, ``std``, the keys of :data:`QUANTILES`, ``hpd68_low`` and ``hpd68_high``, in the unit of ``x``.
    """
    mean = float(weight @ x / weight.sum())
    low, high = shortest_interval(x, weight, 0.68)
    return {
        "mean": mean,
        "std": float(np.sqrt(weight @ (x - mean) ** 2 / weight.sum())),
        **{key: weighted_quantile(x, weight, q) for key, q in QUANTILES.items()},
        "hpd68_low": low,
        "hpd68_high": high,
    }


def shortest_interval(x: FloatArray, weight: FloatArray, mass: float) -> tuple[float, float]:
    """Return the shortest interval (low, high) that holds the fraction ``mass`` of weighted values ``(n,)``."""
    order = np.argsort(x)
    x, weight = x[order], weight[order]
    above = np.cumsum(weight)
    below = above - weight
    last = np.searchsorted(above, np.minimum(below + mass * above[-1], above[-1]) * (1 - 1e-12))
    holds = above[-1] - below >= mass * above[-1] * (1 - 1e-9)
    width = np.where(holds, x[np.minimum(last, len(x) - 1)] - x, np.inf)
    first = int(np.argmin(width))
    return float(x[first]), float(x[min(last[first], len(x) - 1)])


def weighted_quantile(x: FloatArray, weight: FloatArray, q: float) -> float:
    """Return the quantile of weighted values ``(n,)`` at the level ``q``, from 0 to 1.

    It is linear between the mid-points of the cumulative weights. For equal weights this is Hazen's definition.
    """
    order = np.argsort(x)
    w = weight[order]
    position = (np.cumsum(w) - 0.5 * w) / w.sum()
    return float(np.interp(q, position, x[order]))


def kish_ess(log_weight: FloatArray) -> float:
    """Return Kish's effective sample size of log weights ``(n,)``: (sum of weights)^2 / (sum of squared weights)."""
    w = np.exp(log_weight - log_weight.max())
    return float(w.sum() ** 2 / (w**2).sum())


def systematic_resampling(weight: FloatArray, n: int, start: float = 0.5) -> NDArray[np.intp]:
    """Return the indices ``(n,)`` of equally weighted draws, in the order of the samples.

    Parameters
    ----------
    weight : (m,) array
        Weights of any sum.
    n : int
        Number of draws.
    start : float
        Position of the first draw within the first of ``n`` equal shares of the weight, from 0 to 1.
    """
    positions = (start + np.arange(n)) / n
    cumulative = np.cumsum(weight)
    return np.minimum(np.searchsorted(cumulative / cumulative[-1], positions), len(weight) - 1)
