"""Population Monte Carlo: a search for the posterior before a chain begins.

The method is that of Cappe et al. (2004, J. Comput. Graph. Stat. 13, 907, and 2008, arXiv:0710.4242). The first draws
are from the prior, in its normal scores. They are weighted by a tempered likelihood; the tempering is so strong that
enough draws carry weight. A mixture fitted to them gives the next draws. This is repeated until no tempering is needed
and the fit no longer improves.

In many dimensions few draws carry weight, and a mixture fitted to them is poor. :func:`adapted` then fits it to walkers
that explore the posterior, in rounds. All of this ends before the chain of the result begins.

Walkers start at draws of the best population: the one of the highest power of the likelihood, and of the highest
acceptance among these. A walker that starts far from the posterior may stay there for an entire
run: differences between the other walkers are too short to bring it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import ndtr

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError
from astroemu.sampling.statistics import kish_ess
from astroemu.sampling.target import Target
from astroemu_plugins.samplers.mixture import Mixture, probabilities

#: Number of components at the start; those with too little weight are dropped.
_COMPONENTS = 24
#: Largest number of populations, and number of populations in a row that may bring no progress.
_ROUNDS, _PATIENCE = 20, 2
#: Progress is a higher power of the likelihood, or an acceptance higher by this factor.
_PROGRESS = 1.05
#: Least number of effective points per dimension of a tempered population.
_POINTS = 20
#: Largest number of points per likelihood call.
_CALL = 2000
#: Acceptance from which a mixture is good. A poor one is fitted to walkers, in rounds of so many steps. Every
#: tenth step is used. Each fit has so many steps of its own, and is tried with so many draws.
GOOD, _STEPS, _THIN, _FITS, _TRIED = 0.3, 200, 10, 6, 2000
#: Largest number of likelihoods for these rounds, in numbers of prior draws.
_ADAPTATION = 12


@dataclass(frozen=True, eq=False)
class Population:
    """Result of the search for the posterior.

    Attributes
    ----------
    start : (walkers, d) array
        Distinct draws of the best population, chosen by their weights, in normal scores of the prior.
    mixture : Mixture, optional
        Fit of the posterior without tempering; None if there is none.
    acceptance : float
        Mean acceptance of draws of the mixture as independent proposals of a Metropolis chain.
    """

    start: FloatArray
    mixture: Mixture | None
    acceptance: float


def populate(
    log_likelihood: Callable[[FloatArray], FloatArray], n_dim: int, walkers: int, draws: int, rng: np.random.Generator
) -> Population:
    """Search for the posterior and return starting points and a mixture.

    Parameters
    ----------
    log_likelihood : callable
        From normal scores of the prior ``(n, d)`` to log-likelihoods ``(n,)``.
    n_dim, walkers : int
        Number of parameters, and of starting points.
    draws : int
        Number of draws from the prior; each mixture gives half as many.
    rng : Generator

    Returns
    -------
    Population

    Raises
    ------
    SamplingError
        If too few draws have a finite likelihood.
    """
    z = rng.standard_normal((draws, n_dim))
    log_q, mixture, best, idle = log_normal(z), None, None, 0
    for _ in range(_ROUNDS):
        pieces = np.array_split(z, -(-len(z) // _CALL))
        log_l = np.concatenate([log_likelihood(piece) for piece in pieces])
        usable = np.isfinite(log_l)
        if usable.sum() < 2 * walkers:
            break
        found = _Weighted.of(z[usable], log_l[usable], log_q[usable], walkers, mixture, rng)
        idle = 0 if best is None or found.beats(best) else idle + 1
        best = best if idle else found
        if idle > _PATIENCE:
            break
        mixture = (mixture or Mixture.around(found.z, found.log_weight, _COMPONENTS, rng)).fitted(
            found.z, found.log_weight
        )
        z = mixture.draw(draws // 2, rng)
        log_q = mixture.log_density(z)
    if best is None:
        raise SamplingError(
            f"only {int(usable.sum())} of {len(usable)} prior draws have a finite likelihood; {2 * walkers} are needed "
            "to start. Narrow the prior or check the data"
        )
    # Gumbel noise on log weights: the largest values are a weighted draw without replacement.
    order = np.argsort(best.log_weight + rng.gumbel(size=len(best.log_weight)))[::-1]
    return Population(best.z[order[:walkers]], best.mixture if best.power == 1.0 else None, best.acceptance)


def adapted(
    population: Population,
    walked: Callable[[Population, int], FloatArray],
    log_likelihood: Callable[[FloatArray], FloatArray],
    draws: int,
    enough: float,
    rng: np.random.Generator,
) -> Population:
    """Return a population whose mixture is fitted to walkers, if that of the search is poor.

    Parameters
    ----------
    population : Population
        Result of :func:`populate`.
    walked : callable
        From a population and a number of steps to the positions of its walkers after every step,
        ``(steps, walkers, d)``.
    log_likelihood : callable
        From normal scores of the prior ``(n, d)`` to log-likelihoods ``(n,)``.
    draws : int
        Number of draws from the prior in the search. It limits the number of rounds.
    enough : float
        Acceptance from which the mixture of the search is kept.
    rng : Generator

    Returns
    -------
    Population
        The walkers at their last positions, and the mixture of the highest acceptance.
    """
    if population.acceptance >= enough:
        return population
    best, idle, visited = population, 0, []
    for _ in range(_ADAPTATION * draws // (_STEPS * len(population.start) + _TRIED)):
        if best.acceptance >= GOOD or idle > 2 * _PATIENCE:
            break
        steps = walked(best, _STEPS)
        visited.append(steps[_THIN - 1 :: _THIN])
        z = np.concatenate(visited[len(visited) // 2 :]).reshape(-1, steps.shape[2])  # the first half is burn-in
        equal = np.zeros(len(z))
        mixture = Mixture.around(z, equal, _COMPONENTS, rng)
        for _ in range(_FITS):
            mixture = mixture.fitted(z, equal)
        drawn = mixture.draw(_TRIED, rng)
        log_weight = log_likelihood(drawn) + log_normal(drawn) - mixture.log_density(drawn)
        acceptance = _acceptance(log_weight, rng) if np.isfinite(log_weight).any() else 0.0
        idle = 0 if acceptance > _PROGRESS * best.acceptance else idle + 1
        if acceptance > best.acceptance:
            best = Population(steps[-1], mixture, acceptance)
        else:
            best = replace(best, start=steps[-1])
    return best


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Draws ``(n, d)`` of a mixture or of the prior, with log weights ``(n,)`` under the tempered likelihood."""

    z: FloatArray
    log_weight: FloatArray
    mixture: Mixture | None
    power: float
    acceptance: float

    @classmethod
    def of(
        cls,
        z: FloatArray,
        log_l: FloatArray,
        log_q: FloatArray,
        walkers: int,
        mixture: Mixture | None,
        rng: np.random.Generator,
    ) -> Self:
        ess = max(_POINTS * z.shape[1], 4 * walkers)
        power, log_weight = tempered(log_l, log_normal(z) - log_q, ess)
        fits = mixture is not None and power == 1.0
        return cls(z, log_weight, mixture, power, _acceptance(log_weight, rng) if fits else 0.0)

    def beats(self, other: _Weighted) -> bool:
        """Return True if this population is closer to the posterior than the other."""
        return self.power > other.power or self.acceptance > _PROGRESS * other.acceptance


def tempered(log_l: FloatArray, log_ratio: FloatArray, ess: float) -> tuple[float, FloatArray]:
    """Return the highest power (at most one) of the likelihood that leaves ``ess`` effective draws, and log weights.

    Parameters
    ----------
    log_l : (n,) array
        Log-likelihoods of the draws.
    log_ratio : (n,) array
        Log of the prior density over the density of the draws.
    ess : float
        Wanted effective sample size.

    Returns
    -------
    power : float
    log_weight : (n,) array
    """
    power = 1.0
    while kish_ess(power * log_l + log_ratio) < ess and power > 1e-6:
        power *= 0.8
    return power, power * log_l + log_ratio


def _acceptance(log_w: FloatArray, rng: np.random.Generator) -> float:
    """Return the mean of min(1, w' / w) over posterior points (w) and proposals (w'), from log weights ``(n,)``."""
    at = rng.choice(len(log_w), size=len(log_w), p=probabilities(log_w))
    proposed = rng.permutation(len(log_w))
    return float(np.mean(np.exp(np.minimum(log_w[proposed] - log_w[at], 0.0))))


def log_normal(z: FloatArray) -> FloatArray:
    """Return the log density ``(n,)`` of a standard normal at points ``(n, d)``."""
    return np.asarray(-0.5 * np.sum(z * z, axis=1) - 0.5 * z.shape[1] * np.log(2.0 * np.pi))


def parameters_at(target: Target, z: FloatArray) -> FloatArray:
    """Return the parameters ``(n, d)`` of normal scores of the prior ``(n, d)``."""
    return target.prior_transform(ndtr(z))
