"""Split R-hat: the potential scale reduction of the halves of chains."""

from __future__ import annotations

import numpy as np

from astroemu.core.typing import FloatArray


def halves(chain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means and variances of the two halves of a chain.

    Parameters
    ----------
    chain : (n, ..., d) array
        Steps on the first axis, parameters on the last. All axes between them (the walkers of an ensemble, say)
        are pooled. If ``n`` is odd, the middle step is left out.

    Returns
    -------
    means, variances : (2, d) array
        One row per half.
    """
    middle = len(chain) // 2
    parts = [part.reshape(-1, chain.shape[-1]) for part in (chain[:middle], chain[len(chain) - middle :])]
    return np.array([part.mean(axis=0) for part in parts]), np.array([part.var(axis=0) for part in parts])


def split_r_hat(means: FloatArray, variances: FloatArray) -> FloatArray:
    """Return the split R-hat of each parameter.

    It is the square root of the total variance over the variance within the halves (Gelman et al. 2013, Bayesian
    Data Analysis, 3rd edition, section 11.4, for long chains). It is one if all halves sample the same
    distribution. For an ensemble with N effective samples per half, it scatters about ``1 + 1 / (2 N)``.

    Parameters
    ----------
    means, variances : (m, d) array
        Of ``m`` half-chains, as :func:`halves` returns them.

    Returns
    -------
    (d,) array
    """
    within = variances.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(1.0 + means.var(axis=0, ddof=1) / within)
