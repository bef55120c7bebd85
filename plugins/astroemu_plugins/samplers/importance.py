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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError
from astroemu_plugins.samplers.mixture import Mixture
from astroemu_plugins.samplers.population import log_normal, tempered

#: Share of the draws from the widened mixture.
_DEFENCE = 0.05
#: Share of the draws from a mixture that is fitted under the square root of the likelihood.
_TEMPERED = 0.15
#: Largest number of rounds. They end earlier when they have taken as many draws as a result with so many effective
#: draws would. The number is fixed, since that of a run only decides when it stops.
_ROUNDS, _RESULT = 20, 3000.0
#: The draws of so many last rounds are used. A fit has so many components at first, and takes so many turns of
#: expectation-maximisation steps. Draws of a log weight that is lower than the largest by this are left out.
_KEPT, _COMPONENTS, _FITS, _NEGLIGIBLE = 3, 48, 3, -20.0
#: Least number of effective draws per parameter in a fit. The likelihood is tempered if there are fewer.
_POINTS = 4
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


@dataclass(frozen=True)
class Refined:
    """The proposal of the final draws, after ``rounds`` of fits, and its expected efficiency."""

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
    """Fit a mixture to its own weighted draws, in rounds, until the fits have taken as many draws as a result will.

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
    proposal = mixture.defended(_DEFENCE)
    pool = _Pool.empty(mixture.mean.shape[1])
    for rounds in range(1, _ROUNDS + 1):
        draws = Draws.joined([Draws.of(proposal, batch, log_likelihood, rng) for _ in range(batches)])
        pool = pool.after(proposal, draws)
        efficiency = pool.efficiency()
        # The efficiency of the newest proposal is too high, until a draw of another one shows where it is too thin.
        judged = efficiency[:-1] if rounds > 1 else efficiency
        if rounds == _ROUNDS or rounds * batch * batches * np.max(judged) >= _RESULT:
            break
        proposal = pool.fitted(rng)
    chosen = int(np.argmax(judged))
    return Refined(pool.proposals[chosen], rounds, float(judged[chosen]))


@dataclass(frozen=True, eq=False)
class _Pool:
    """Draws of the last rounds.

    Each draw counts as one of all their proposals together (Cornuet et al. 2012, arXiv:0907.1254).

    Attributes
    ----------
    proposals : list of k Mixture
    z : (n, d) array
        The same number of draws of each proposal.
    log_p : (n,) array
        Logarithm of likelihood times prior.
    log_q : (k, n) array
        Log density of every proposal at all draws.
    """

    proposals: list[Mixture]
    z: FloatArray
    log_p: FloatArray
    log_q: FloatArray

    @classmethod
    def empty(cls, n_dim: int) -> _Pool:
        return cls([], np.empty((0, n_dim)), np.empty(0), np.empty((0, 0)))

    def after(self, proposal: Mixture, draws: Draws) -> _Pool:
        """Return the pool with the draws of one more round, without those of the round that is now too old."""
        z = np.concatenate([self.z, draws.z])
        old = np.reshape([q.log_density(draws.z) for q in self.proposals], (len(self.proposals), len(draws.z)))
        log_q = np.concatenate([np.concatenate([self.log_q, old], axis=1), proposal.log_density(z)[None]])
        log_p = np.concatenate([self.log_p, draws.log_l + log_normal(draws.z)])
        last = slice(-_KEPT * len(draws.z), None)
        return _Pool([*self.proposals, proposal][-_KEPT:], z[last], log_p[last], log_q[-_KEPT:, last])

    @property
    def log_weight(self) -> FloatArray:
        """Log weights ``(n,)``.

        Raises
        ------
        SamplingError
            If none is finite.
        """
        if not np.isfinite(self.log_p).any():
            raise SamplingError(
                f"none of {len(self.z)} draws of the mixture that the search found has a finite likelihood. Use emcee "
                "or ultranest, or raise starting_draws"
            )
        return self.log_p - self._log_density

    @property
    def _log_density(self) -> FloatArray:
        """Log density ``(n,)`` of all proposals together."""
        return np.asarray(logsumexp(self.log_q, axis=0) - np.log(len(self.log_q)))

    @cached_property
    def log_l(self) -> FloatArray:
        """Log-likelihoods ``(n,)``, minus infinity where there is none."""
        return np.where(np.isfinite(self.log_p), self.log_p - log_normal(self.z), -np.inf)

    @cached_property
    def power(self) -> float:
        """Power of the likelihood, at most one, that leaves enough effective draws for a fit."""
        return tempered(self.log_l, log_normal(self.z) - self._log_density, _POINTS * self.z.shape[1])[0]

    def efficiency(self) -> FloatArray:
        """Return the expected efficiency ``(k,)`` of each proposal: effective draws over draws.

        It is one over the posterior mean of its weights. The draws of all rounds give this mean. Draws of the proposal
        alone would often miss the few large weights.
        """
        log_weight = self.log_weight
        mean = logsumexp(log_weight + self.log_p - self.log_q, axis=1)
        return np.asarray(np.exp(2.0 * logsumexp(log_weight) - np.log(len(log_weight)) - mean))

    def fitted(self, rng: np.random.Generator) -> Mixture:
        """Return a proposal fitted to all draws.

        A share of it is fitted to the draws under the square root of the likelihood. That part covers the thin ends of
        a posterior, where a fit to the posterior itself has few points or none.
        """
        log_ratio = log_normal(self.z) - self._log_density
        power = self.power
        main = self._fitted(power * self.log_l + log_ratio, _COMPONENTS, rng)
        flatter = self._fitted(0.5 * power * self.log_l + log_ratio, _COMPONENTS // 2, rng)
        return main.joined(flatter, _TEMPERED).defended(_DEFENCE)

    def _fitted(self, log_weight: FloatArray, components: int, rng: np.random.Generator) -> Mixture:
        """Return a mixture fitted to all draws with log weights ``(n,)``.

        The largest weights are cut (Ionides 2008, J. Comput. Graph. Stat. 17, 295): one draw would otherwise pull a
        component to itself. This concerns the fit alone.
        """
        log_weight = np.where(np.isfinite(log_weight), log_weight, -np.inf)  # no likelihood: minus infinity or NaN
        log_weight = np.minimum(log_weight, logsumexp(log_weight) - 0.5 * np.log(len(log_weight)))
        useful = log_weight > np.max(log_weight) + _NEGLIGIBLE
        z, log_weight = self.z[useful], log_weight[useful]
        mixture = Mixture.around(z, log_weight, components, rng)
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
        return float(np.sqrt(max(1.0 / self.ess - 1.0 / self.n, 0.0))) if self.ess else float("inf")

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
