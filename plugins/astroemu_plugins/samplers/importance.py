"""Importance sampling from a mixture: weighted draws, their health, and mixtures fitted to them.

Draws from a density q have the weights L N(z) / q(z), with the likelihood L and the prior N, a standard normal in the
prior's normal scores. The mean of the weights estimates the evidence without bias if q does not depend on the draws
(Kilbinger et al. 2010, arXiv:0912.1614). A mixture is therefore fitted to earlier draws only.

**Health.** A mean of weights is useless if their distribution has no mean or no variance. The shape k of a generalised
Pareto distribution, fitted to the largest weights, shows this: above 0.7 neither means nor errors can be trusted
(Vehtari et al. 2024, J. Mach. Learn. Res. 25, 72, arXiv:1507.02646). The weights themselves are never smoothed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError
from astroemu.sampling.statistics import kish_ess
from astroemu_plugins.samplers.mixture import Mixture
from astroemu_plugins.samplers.population import log_normal

#: Share of the draws from the widened mixture.
_DEFENCE = 0.05
#: Largest number of rounds, and number of rounds in a row that may bring no progress. Progress is a larger efficiency
#: by this factor.
_ROUNDS, _PATIENCE, _PROGRESS = 12, 2, 1.03
#: Draws of so many last rounds are used in a fit, which takes so many turns of expectation-maximisation steps.
_KEPT, _FITS = 3, 5
#: Number of components of a new fit.
_COMPONENTS = 24
#: Fewest weights to which a Pareto distribution can be fitted.
_TAIL = 5


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws ``z (n, d)`` of a mixture in normal scores, with log-likelihoods and log weights ``(n,)``."""

    z: FloatArray
    log_l: FloatArray
    log_weight: FloatArray

    @classmethod
    def of(
        cls, q: Mixture, n: int, log_likelihood: Callable[[FloatArray], FloatArray], rng: np.random.Generator
    ) -> Draws:
        """Return ``n`` weighted draws of a mixture ``q``, all in one call of the likelihood."""
        z = q.draw(n, rng)
        log_l = log_likelihood(z)
        return cls(z, log_l, log_l + log_normal(z) - q.log_density(z))

    @classmethod
    def joined(cls, parts: Sequence[Draws]) -> Draws:
        """Return the draws of all parts."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("z", "log_l", "log_weight")))

    def at(self, chosen: NDArray[np.bool_]) -> Draws:
        """Return the chosen draws."""
        return Draws(self.z[chosen], self.log_l[chosen], self.log_weight[chosen])

    @property
    def efficiency(self) -> float:
        """Kish's effective number of draws, over all draws."""
        return kish_ess(self.log_weight) / len(self.z) if np.isfinite(self.log_weight).any() else 0.0


@dataclass(frozen=True)
class Refined:
    """The proposal of the final draws, after ``rounds`` of fits, and its efficiency in the round that tried it."""

    proposal: Mixture
    rounds: int
    efficiency: float


def refined(
    mixture: Mixture,
    log_likelihood: Callable[[FloatArray], FloatArray],
    batch: int,
    batches: int,
    rng: np.random.Generator,
) -> Refined:
    """Fit a mixture to its own weighted draws while this makes it more efficient.

    Parameters
    ----------
    mixture : Mixture
        Where to begin, in normal scores.
    log_likelihood : callable
        From normal scores of the prior ``(n, d)`` to log-likelihoods ``(n,)``.
    batch, batches : int
        Number of draws per call, and of calls per round.
    rng : Generator

    Returns
    -------
    Refined
        The best mixture, with a share of its draws from a wider one.

    Raises
    ------
    SamplingError
        If no draw has a likelihood.
    """
    best, idle, recent, rounds = Refined(mixture, 0, 0.0), 0, [], 0
    while rounds < _ROUNDS and idle <= _PATIENCE:
        rounds += 1
        q = mixture.defended(_DEFENCE)
        draws = Draws.joined([Draws.of(q, batch, log_likelihood, rng) for _ in range(batches)])
        efficiency = draws.efficiency
        idle = 0 if efficiency > _PROGRESS * best.efficiency else idle + 1
        if efficiency > best.efficiency:
            best = Refined(q, rounds, efficiency)
        recent = [*recent[1 - _KEPT :], (q, draws)]
        mixture = _fitted(recent, mixture, rng, rounds)
    return Refined(best.proposal, rounds, best.efficiency)


def _fitted(recent: list[tuple[Mixture, Draws]], mixture: Mixture, rng: np.random.Generator, rounds: int) -> Mixture:
    """Return a mixture fitted to the draws of several rounds.

    Each draw counts as one of all their proposals together (Cornuet et al. 2012, arXiv:0907.1254). The largest weights
    are cut (Ionides 2008, J. Comput. Graph. Stat. 17, 295): one draw would otherwise pull a component to itself. This
    concerns the fit alone.
    """
    z = np.concatenate([draws.z for _, draws in recent])
    log_l = np.concatenate([draws.log_l for _, draws in recent])
    log_q = logsumexp([q.log_density(z) for q, _ in recent], axis=0) - np.log(len(recent))
    log_weight = log_l + log_normal(z) - log_q
    usable = np.isfinite(log_weight)
    if not usable.any():
        raise SamplingError("no draw near the posterior has a finite likelihood")
    z, log_weight = z[usable], log_weight[usable]
    log_weight = np.minimum(log_weight, logsumexp(log_weight) - 0.5 * np.log(len(z)))
    if rounds % 2:
        mixture = Mixture.around(z, log_weight, _COMPONENTS, rng)
    for _ in range(_FITS):
        mixture = mixture.fitted(z, log_weight)
    return mixture


class Totals:
    """Sums over the weights of all draws: evidence, error and effective draws.

    Attributes
    ----------
    n : int
        Number of draws, those without a likelihood included.
    """

    def __init__(self) -> None:
        self.n = 0
        self._sum = self._square = self.largest = -np.inf

    def add(self, log_weight: FloatArray) -> None:
        """Count draws with these log weights ``(n,)``."""
        self.n += len(log_weight)
        self._sum = float(np.logaddexp(self._sum, logsumexp(log_weight)))
        self._square = float(np.logaddexp(self._square, logsumexp(2.0 * log_weight)))
        self.largest = max(self.largest, float(np.max(log_weight)))

    @property
    def ess(self) -> float:
        """Kish's effective number of draws."""
        return float(np.exp(2.0 * self._sum - self._square)) if self._sum > -np.inf else 0.0

    @property
    def log_mean(self) -> float:
        """Logarithm of the mean weight: the log evidence."""
        return self._sum - float(np.log(self.n))

    @property
    def error(self) -> float:
        """Standard error of the mean weight over the mean weight: the error of the log evidence."""
        return float(np.sqrt(max(1.0 / self.ess - 1.0 / self.n, 0.0)))

    @property
    def largest_share(self) -> float:
        """Share of the largest weight in the sum of all."""
        return float(np.exp(self.largest - self._sum))


def pareto_k(log_weight: FloatArray, n: int) -> float:
    """Return the shape k of a generalised Pareto distribution fitted to the largest of ``n`` weights.

    The number of the largest weights, and the small correction towards 0.5, are those of Vehtari et al. (2024).

    Parameters
    ----------
    log_weight : (m,) array
        Log weights. The other ``n - m`` weights are zero.
    n : int
        Number of draws.

    Returns
    -------
    float
        Infinity if there are too few weights for a fit, and minus infinity if the largest weights are equal.
    """
    size = min(n // 5, int(3.0 * np.sqrt(n)), len(log_weight) - 1)
    if size < _TAIL:
        return np.inf
    tail = np.sort(np.partition(log_weight, -size - 1)[-size - 1 :])
    weight = np.exp(tail - tail[-1])
    excess = weight[1:] - weight[0]
    excess = excess[excess > 0]
    return _pareto_shape(excess) if len(excess) >= _TAIL else -np.inf


def _pareto_shape(x: FloatArray) -> float:
    """Return the shape for sorted values above zero, by Zhang & Stephens 2009, Technometrics 51, 316."""
    n = len(x)
    grid = 30 + int(np.sqrt(n))
    b = 1.0 / x[-1] + (1.0 - np.sqrt(grid / (np.arange(grid) + 0.5))) / (3.0 * x[int(n / 4 + 0.5) - 1])
    k = np.mean(np.log1p(-b[:, None] * x), axis=1)
    log_l = n * (np.log(-b / k) - k - 1.0)
    b = float(np.exp(log_l - logsumexp(log_l)) @ b)
    return float((n * np.mean(np.log1p(-b * x)) + 5.0) / (n + 10.0))
