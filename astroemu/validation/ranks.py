"""Are ranks uniform? The statistics of simulation-based calibration.

If data are drawn at a truth that is itself drawn from the prior, the rank of the truth among ``L`` independent
posterior draws is uniform on 0 to L (Talts et al. 2018, arXiv:1804.06788). The test is that of Sailynoja,
Burkner & Vehtari (2022, Stat. Comput. 32, 32, arXiv:2103.10522): of all points of the empirical distribution
of the ranks, how unlikely is the least likely one? Its null distribution is simulated, and the band in which
all points stay together with 95 % belongs to the same statistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from astroemu.core.typing import FloatArray

Ranks = NDArray[np.intp]
#: Central intervals of which the coverage is stated.
CREDIBLE_LEVELS = (0.50, 0.68, 0.95)
#: Draws of the null distribution.
_NULL = 10_000


@dataclass(frozen=True, eq=False)
class Uniformity:
    """What is expected of ``n`` ranks among ``draws`` draws, if they are uniform on 0 to ``draws``.

    Attributes
    ----------
    n, draws : int
    null : (10000,) array
        Values of the statistic for uniform ranks, in increasing order.
    """

    n: int
    draws: int
    null: FloatArray
    tail: FloatArray

    @classmethod
    def of(cls, n: int, draws: int, seed: int = 1) -> Uniformity:
        """Simulate the null distribution."""
        z = np.arange(1, draws + 1) / (draws + 1.0)
        count = np.arange(n + 1)
        lower = binom.cdf(count, n, z[:, None])
        upper = binom.sf(count - 1, n, z[:, None])
        tail = 2.0 * np.minimum(lower, upper)  # (draws, n + 1)
        rng = np.random.default_rng(seed)
        null = np.array([_least(tail, rng.integers(0, draws + 1, n), draws) for _ in range(_NULL)])
        return cls(n, draws, np.sort(null), tail)

    def p_value(self, ranks: Ranks) -> float:
        """Share of uniform ranks that look as odd as these."""
        value = _least(self.tail, ranks, self.draws)
        # Ranks are whole numbers, and so are ties of the statistic; rounding must not break them.
        as_odd = np.searchsorted(self.null, value * (1 + 1e-9), side="right")
        return float((1 + as_odd) / (1 + len(self.null)))

    def band(self, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Limits of the empirical distribution at ranks 0 to ``draws`` - 1 that hold with ``level`` all together."""
        odd = self.null[int((1.0 - level) * len(self.null))]
        z = np.arange(1, self.draws + 1) / (self.draws + 1.0)
        return binom.ppf(odd / 2, self.n, z) / self.n, binom.isf(odd / 2, self.n, z) / self.n


def below(ranks: Ranks, draws: int) -> Ranks:
    """Number of ranks up to 0, 1, ..., ``draws`` - 1."""
    return np.cumsum(np.bincount(ranks, minlength=draws + 1))[:draws]


def _least(tail: FloatArray, ranks: Ranks, draws: int) -> float:
    return float(tail[np.arange(draws), below(ranks, draws)].min())


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm 1979)."""
    order = np.argsort(p_values)
    corrected = np.zeros(len(order))
    worst = 0.0
    for i, j in enumerate(order):
        worst = max(worst, min(1.0, (len(order) - i) * float(p_values[j])))
        corrected[j] = worst
    return [float(p) for p in corrected]


def central(ranks: Ranks, draws: int, level: float) -> dict[str, float]:
    """How often the central interval of a level holds the truth."""
    whole = draws + 1
    width = round(level * whole)
    first = (whole - width) // 2
    return _share(int(np.sum((ranks >= first) & (ranks < first + width))), len(ranks), width / whole)


def highest(ranks: Ranks, draws: int, level: float) -> dict[str, float]:
    """How often the highest share of a quantity holds the truth: of the log-posterior, the densest region."""
    whole = draws + 1
    width = round(level * whole)
    return _share(int(np.sum(ranks >= whole - width)), len(ranks), width / whole)


def _share(hits: int, n: int, nominal: float) -> dict[str, float]:
    """A share, what it should be, and the 95 % interval of Clopper & Pearson (1934)."""
    low = beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0
    return {"nominal": nominal, "found": hits / n, "low": float(low), "high": float(high)}


def judged(ranks: Mapping[str, Ranks], draws: int) -> dict[str, Any]:
    """Verdict on the ranks ``(n,)`` of several quantities.

    Returns
    -------
    dict
        ``quantities``: by name ``p_value``, ``corrected`` and ``coverage`` by level; ``p_value``: the smallest
        corrected one.
    """
    n = len(next(iter(ranks.values())))
    expected = Uniformity.of(n, draws)
    p_values = [expected.p_value(values) for values in ranks.values()]
    corrected = holm(p_values)
    quantities = {
        name: {
            "p_value": p,
            "corrected": q,
            "coverage": {f"{level:g}": central(ranks[name], draws, level) for level in CREDIBLE_LEVELS},
        }
        for name, p, q in zip(ranks, p_values, corrected, strict=True)
    }
    return {"quantities": quantities, "p_value": min(corrected)}
