"""Population Monte Carlo: where the posterior is, before a chain begins.

Draws from the prior, in its normal scores, are weighted by a likelihood tempered so far that enough of them carry
weight; a mixture fitted to them gives the next draws, until no tempering is needed and the fit gets no better
(Cappe et al. 2004, J. Comput. Graph. Stat. 13, 907, and 2008, arXiv:0710.4242). A walker that starts far out may
stay there for a whole run, since differences between the others are too short for it; one that starts as a draw of
the last population does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp

from astroemu.core.typing import FloatArray
from astroemu.errors import SamplingError
from astroemu.sampling.statistics import kish_ess
from astroemu_plugins.samplers.mixture import Mixture

#: Components to begin with; those that nothing speaks for are dropped.
_COMPONENTS = 24
#: Most populations, and how many in a row may bring no progress.
_ROUNDS, _PATIENCE = 20, 2
#: Progress is a higher power of the likelihood, or an acceptance that is better by this factor.
_PROGRESS = 1.05
#: Effective points, for each dimension, that a tempered population must have.
_POINTS = 20
#: Points of one call of the likelihood.
_CALL = 2000


@dataclass(frozen=True, eq=False)
class Population:
    """What is known of a posterior before a chain begins.

    Attributes
    ----------
    start : (walkers, d) array
        Different draws of the last population, by their weights.
    mixture : Mixture, optional
        A fit of the posterior, without tempering; None where none was found.
    acceptance : float
        Mean acceptance of its draws as proposals of a Metropolis chain, each independent of where the chain is.
    """

    start: FloatArray
    mixture: Mixture | None
    acceptance: float


def populate(
    log_likelihood: Callable[[FloatArray], FloatArray], n_dim: int, walkers: int, draws: int, rng: np.random.Generator
) -> Population:
    """Find where the posterior is.

    Parameters
    ----------
    log_likelihood : callable
        Of normal scores of the prior, ``(n, d)`` to ``(n,)``.
    n_dim, walkers : int
    draws : int
        From the prior; half as many from each mixture.
    rng : Generator

    Raises
    ------
    SamplingError
        If too few draws have a finite likelihood.
    """
    z = rng.standard_normal((draws, n_dim))
    log_q, mixture, best, idle = _log_normal(z), None, None, 0
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
    # The top of these are a resampling without replacement (Gumbel).
    order = np.argsort(best.log_weight + rng.gumbel(size=len(best.log_weight)))[::-1]
    return Population(best.z[order[:walkers]], best.mixture if best.power == 1.0 else None, best.acceptance)


@dataclass(frozen=True, eq=False)
class _Weighted:
    """Draws ``(n, d)`` of a mixture, or of the prior, and their log weights ``(n,)`` under the tempered likelihood."""

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
        power, log_weight = tempered(log_l, _log_normal(z) - log_q, ess)
        fits = mixture is not None and power == 1.0
        return cls(z, log_weight, mixture, power, _acceptance(log_weight, rng) if fits else 0.0)

    def beats(self, other: _Weighted) -> bool:
        """Whether it is nearer to the posterior."""
        return self.power > other.power or self.acceptance > _PROGRESS * other.acceptance


def tempered(log_l: FloatArray, log_ratio: FloatArray, ess: float) -> tuple[float, FloatArray]:
    """Highest power (at most one) of the likelihood at which the weights are worth ``ess`` draws; the log weights."""
    power = 1.0
    while kish_ess(power * log_l + log_ratio) < ess and power > 1e-6:
        power *= 0.8
    return power, power * log_l + log_ratio


def _acceptance(log_w: FloatArray, rng: np.random.Generator) -> float:
    """Mean of min(1, w' / w) for a point of the posterior and a proposal, from the proposals' log weights."""
    at = rng.choice(len(log_w), size=len(log_w), p=np.exp(log_w - logsumexp(log_w)))
    proposed = rng.permutation(len(log_w))
    return float(np.mean(np.exp(np.minimum(log_w[proposed] - log_w[at], 0.0))))


def _log_normal(z: FloatArray) -> FloatArray:
    """Log density ``(n,)`` of standard normal points ``(n, d)``."""
    return np.asarray(-0.5 * np.sum(z * z, axis=1) - 0.5 * z.shape[1] * np.log(2.0 * np.pi))
