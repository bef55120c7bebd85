"""Whether chains agree: the potential scale reduction of their halves."""

from __future__ import annotations

import numpy as np

from astroemu.core.typing import FloatArray


def halves(chain: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Means and variances ``(2, d)`` of the first and the second half of a chain ``(n, ..., d)``.

    What lies between the first and the last axis, such as the walkers of an ensemble, is pooled.
    """
    middle = len(chain) // 2
    parts = [part.reshape(-1, chain.shape[-1]) for part in (chain[:middle], chain[len(chain) - middle :])]
    return np.array([part.mean(axis=0) for part in parts]), np.array([part.var(axis=0) for part in parts])


def split_r_hat(means: FloatArray, variances: FloatArray) -> FloatArray:
    """Split R-hat ``(d,)`` of half-chains, from their means and variances ``(m, d)``.

    The square root of the ratio of the whole variance to that within the halves (Gelman et al. 2013, Bayesian
    Data Analysis, 3rd edition, section 11.4, for long chains): one where all halves sample one distribution. For
    an ensemble, whose halves hold N effective samples each, it scatters about ``1 + 1 / (2 N)``.
    """
    within = variances.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(1.0 + means.var(axis=0, ddof=1) / within)
