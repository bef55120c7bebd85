"""Statistics of weighted samples: quantiles, intervals, effective sizes, resampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray

QUANTILES = {"q025": 0.025, "q16": 0.16, "median": 0.5, "q84": 0.84, "q975": 0.975}


def statistics(x: FloatArray, weight: FloatArray) -> dict[str, float]:
    """Mean, standard deviation, quantiles and shortest 68 % interval of weighted values ``(n,)``."""
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
    """Shortest interval that holds a share ``mass`` of weighted values ``(n,)``."""
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
    """Quantile of weighted values, linear between the mid-points of the weights."""
    order = np.argsort(x)
    w = weight[order]
    position = (np.cumsum(w) - 0.5 * w) / w.sum()
    return float(np.interp(q, position, x[order]))


def kish_ess(log_weight: FloatArray) -> float:
    """Kish's effective sample size of log weights."""
    w = np.exp(log_weight - log_weight.max())
    return float(w.sum() ** 2 / (w**2).sum())


def systematic_resampling(weight: FloatArray, n: int, start: float = 0.5) -> NDArray[np.intp]:
    """Return the indices ``(n,)`` of equally weighted draws, in the order of the samples.

    Parameters
    ----------
    weight : (m,) array
        Of any sum.
    n : int
    start : float
        Where in the first of ``n`` equal shares of the weight the first draw lies, from 0 to 1.
    """
    positions = (start + np.arange(n)) / n
    cumulative = np.cumsum(weight)
    return np.minimum(np.searchsorted(cumulative / cumulative[-1], positions), len(weight) - 1)
