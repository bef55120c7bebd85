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
        Values, and weights of any sum. NaN stands for a value that is not defined.

    Returns
    -------
    dict of str to float
        ``mean``, ``std``, the keys of :data:`QUANTILES`, ``hpd68_low`` and ``hpd68_high``, in the unit of ``x``. They
        describe the defined values, and are NaN if there are none. Infinite values count: the mean becomes infinite and
        the standard deviation NaN, but the quantiles stay finite where they can.

        If some values are not defined or infinite, the numbers of values are there too: ``draws`` (of all with a
        weight), ``undefined`` and ``infinite``.
    """
    x, weight = x[weight > 0], weight[weight > 0]
    undefined, infinite = np.isnan(x), np.isinf(x)
    found = _moments(x[~undefined], weight[~undefined])
    if undefined.any() or infinite.any():
        found |= {"draws": len(x), "undefined": int(undefined.sum()), "infinite": int(infinite.sum())}
    return found


def _moments(x: FloatArray, weight: FloatArray) -> dict[str, float]:
    if not len(x):
        return dict.fromkeys(("mean", "std", *QUANTILES, "hpd68_low", "hpd68_high"), float("nan"))
    with np.errstate(invalid="ignore"):  # infinity minus infinity is not defined
        mean = float(weight @ x / weight.sum())
        std = float(np.sqrt(weight @ (x - mean) ** 2 / weight.sum()))
    low, high = shortest_interval(x, weight, 0.68)
    quantiles = {key: weighted_quantile(x, weight, q) for key, q in QUANTILES.items()}
    return {"mean": mean, "std": std, **quantiles, "hpd68_low": low, "hpd68_high": high}


def shortest_interval(x: FloatArray, weight: FloatArray, mass: float) -> tuple[float, float]:
    """Return the shortest interval (low, high) that holds the fraction ``mass`` of weighted values ``(n,)``."""
    order = np.argsort(x)
    x, weight = x[order], weight[order]
    above = np.cumsum(weight)
    below = above - weight
    last = np.searchsorted(above, np.minimum(below + mass * above[-1], above[-1]) * (1 - 1e-12))
    last = np.minimum(last, len(x) - 1)
    holds = above[-1] - below >= mass * above[-1] * (1 - 1e-9)
    with np.errstate(invalid="ignore"):  # infinity minus infinity: an interval of no width
        width = np.where(holds, np.nan_to_num(x[last] - x, nan=0.0, posinf=np.inf), np.inf)
    first = int(np.argmin(width))
    return float(x[first]), float(x[last[first]])


def weighted_quantile(x: FloatArray, weight: FloatArray, q: float) -> float:
    """Return the quantile of weighted values ``(n,)`` at the level ``q``, from 0 to 1.

    It is linear between the mid-points of the cumulative weights. For equal weights this is Hazen's definition. Values
    without a weight do not count. Beside an infinite value, the quantile is the nearer of the two values.
    """
    x, weight = x[weight > 0], weight[weight > 0]
    order = np.argsort(x)
    x, w = x[order], weight[order]
    position = (np.cumsum(w) - 0.5 * w) / w.sum()
    if np.isfinite(x[[0, -1]]).all():
        return float(np.interp(q, position, x))
    return float(x[int(np.rint(np.interp(q, position, np.arange(len(x)))))])


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
