"""Tests of the uniformity of ranks, for simulation-based calibration.

A truth is drawn from the prior, and data are drawn at this truth. The rank of the truth among ``L`` independent
posterior draws is then uniform on 0 to L (Talts et al. 2018, arXiv:1804.06788). The test is that of Sailynoja, Burkner
& Vehtari (2022, Stat. Comput. 32, 32, arXiv:2103.10522). Its statistic is the smallest probability of any point of the
empirical distribution of the ranks. The null distribution is simulated. The same statistic gives the band that holds
all points simultaneously with a probability of 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray

Ranks = NDArray[np.intp]
#: Levels of the central intervals whose coverage is measured.
CREDIBLE_LEVELS = (0.50, 0.68, 0.95)
#: Number of draws of the null distribution.
_NULL = 10_000


@dataclass(frozen=True, eq=False)
class Uniformity:
    """The distribution of the test statistic for ``n`` ranks that are uniform on 0 to ``draws``.

    Attributes
    ----------
    n, draws : int
    null : (10000,) array
        Values of the statistic for uniform ranks, in increasing order.
    tail : (draws, n + 1) array
        Two-sided binomial probability of each number of ranks up to 0, 1, ..., ``draws`` - 1.
    """

    n: int
    draws: int
    null: FloatArray
    tail: FloatArray

    @classmethod
    def of(cls, n: int, draws: int, seed: int = 1) -> Uniformity:
        """Return the distribution, with a simulated null distribution."""
        z = np.arange(1, draws + 1) / (draws + 1.0)
        count = np.arange(n + 1)
        lower = scipy.stats.binom.cdf(count, n, z[:, None])
        upper = scipy.stats.binom.sf(count - 1, n, z[:, None])
        tail = 2.0 * np.minimum(lower, upper)  # (draws, n + 1)
        rng = np.random.default_rng(seed)
        null = np.array([_least(tail, rng.integers(0, draws + 1, n), draws) for _ in range(_NULL)])
        return cls(n, draws, np.sort(null), tail)

    def p_value(self, ranks: Ranks) -> float:
        """Return the probability that uniform ranks have a statistic at least as extreme as these."""
        value = _least(self.tail, ranks, self.draws)
        # Ranks are integers, so values of the statistic can be equal; rounding must not separate them.
        as_odd = np.searchsorted(self.null, value * (1 + 1e-9), side="right")
        return float((1 + as_odd) / (1 + len(self.null)))

    def band(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Return limits of the empirical distribution, each ``(draws,)``, that hold simultaneously with ``level``."""
        odd = self.null[int((1.0 - level) * len(self.null))]
        z = np.arange(1, self.draws + 1) / (self.draws + 1.0)
        return scipy.stats.binom.ppf(odd / 2, self.n, z) / self.n, scipy.stats.binom.isf(odd / 2, self.n, z) / self.n


def cumulative_ranks(ranks: Ranks, draws: int) -> Ranks:
    """Return the number of ranks up to 0, 1, ..., ``draws`` - 1: ``(draws,)``."""
    return np.cumsum(np.bincount(ranks, minlength=draws + 1))[:draws]


def _least(tail: FloatArray, ranks: Ranks, draws: int) -> float:
    return float(tail[np.arange(draws), cumulative_ranks(ranks, draws)].min())


def correct_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple tests (Holm 1979)."""
    order = np.argsort(p_values)
    corrected = np.zeros(len(order))
    worst = 0.0
    for i, j in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - i) * float(p_values[j])))
        corrected[j] = worst
    return [float(p) for p in corrected]


def central_coverage(ranks: Ranks, draws: int, level: float) -> dict[str, float]:
    """Return the coverage of the central interval of a level.

    Returns
    -------
    dict
        ``nominal`` and ``found`` coverage, and the limits ``low`` and ``high`` of its 95 % interval.
    """
    whole = draws + 1
    width = round(level * whole)
    first = (whole - width) // 2
    return _share(int(np.sum((ranks >= first) & (ranks < first + width))), len(ranks), width / whole)


def highest_density_coverage(ranks: Ranks, draws: int, level: float) -> dict[str, float]:
    """Return the coverage of the highest values of a quantity; for the log-posterior, of the densest region.

    The dict is that of :func:`central_coverage`.
    """
    whole = draws + 1
    width = round(level * whole)
    return _share(int(np.sum(ranks >= whole - width)), len(ranks), width / whole)


def _share(hits: int, n: int, nominal: float) -> dict[str, float]:
    """Return nominal and measured coverage, with the 95 % interval of Clopper & Pearson (1934)."""
    low = scipy.stats.beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = scipy.stats.beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return {"nominal": nominal, "found": hits / n, "low": float(low), "high": float(high)}


def judge_ranks(ranks: Mapping[str, Ranks], draws: int) -> dict[str, Any]:
    """Return the test results for the ranks ``(n,)`` of several quantities.

    Returns
    -------
    dict
        ``quantities``: by name, ``p_value``, ``corrected`` p-value and ``coverage`` by level. ``p_value``: the smallest
        corrected one.
    """
    n = len(next(iter(ranks.values())))
    expected = Uniformity.of(n, draws)
    p_values = [expected.p_value(values) for values in ranks.values()]
    corrected = correct_p_values(p_values)
    quantities = {
        name: {
            "p_value": p,
            "corrected": q,
            "coverage": {f"{level:g}": central_coverage(ranks[name], draws, level) for level in CREDIBLE_LEVELS},
        }
        for name, p, q in zip(ranks, p_values, corrected, strict=True)
    }
    return {"quantities": quantities, "p_value": min(corrected)}
