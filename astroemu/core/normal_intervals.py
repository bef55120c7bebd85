"""The standard normal distribution between two edges, with full precision also far out in its tails."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from astroemu.core.typing import FloatArray


def normal_between(u: FloatArray, a: Any, b: Any) -> FloatArray:
    """Return the quantiles of a standard normal distribution that is restricted to ``[a, b]``.

    Parameters
    ----------
    u : array
        Probabilities in [0, 1].
    a, b : float or array
        Edges, which may be infinite. They broadcast with ``u``.

    Returns
    -------
    array
        Of the broadcast shape. Rounding may exceed the edges.
    """
    above = np.asarray(a) > 0
    low, high = _mirrored(a, b, above)
    u = np.where(above, 1.0 - u, u)
    with np.errstate(divide="ignore"):
        log_p = np.logaddexp(np.log1p(-u) + special.log_ndtr(low), np.log(u) + special.log_ndtr(high))
    return np.where(above, -1.0, 1.0) * special.ndtri_exp(log_p)


def log_normal_mass(a: Any, b: Any) -> FloatArray:
    """Return the logarithm of the probability between the edges ``a < b``, which may be infinite."""
    low, high = _mirrored(a, b, np.asarray(a) > 0)
    log_low, log_high = special.log_ndtr(low), special.log_ndtr(high)
    return np.asarray(log_high + np.log1p(-np.exp(log_low - log_high)))


def _mirrored(a: Any, b: Any, above: Any) -> tuple[FloatArray, FloatArray]:
    """Return edges below the mean. Intervals above it are mirrored, which keeps the precision there."""
    return np.where(above, np.negative(b), a), np.where(above, np.negative(a), b)
