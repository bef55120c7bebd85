"""emcee: an affine-invariant ensemble of walkers (Foreman-Mackey et al. 2013, arXiv:1202.3665).

The walkers move in the space of the prior's normal scores, ``theta = transform(Phi(z))`` with the
prior density of a standard normal in ``z``: a flat prior has no walls there, and a correlated or
logarithmic one no scale, so proposals are not wasted on points outside the prior. (As for every
sampler that works on the unit cube, a posterior beyond 8 standard deviations of a prior's upper tail
is out of reach.)

The whole ensemble is evaluated in one call of the vectorised likelihood. Proposals are
differential evolution (``DEMove``). The snooker variant of emcee 3.1.6 is not offered: it samples
too narrow a distribution.

The first quarter of the chain is always dropped, so that the approach to the posterior does not
enter the estimate of the autocorrelation time. The run goes on until that quarter is ``burn_in``
integrated autocorrelation times of the slowest parameter long, and what is left is
``autocorrelation_times`` long and holds ``effective_samples`` independent samples.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from astroemu.errors import ConfigurationError, SamplingError
from astroemu.sampler import Counted, Progress, Report, Sampler, Target, seeds, silent
from astroemu.samples import Samples, kish_ess

Array = NDArray[np.float64]
#: Draws among which the walkers' starting points are chosen, and rounds in a row that may bring no progress.
_STARTING_DRAWS = 20_000
_STARTING_PATIENCE = 3
#: One part in so many of the chain is burn-in.
_BURN_IN = 4


class Emcee(Sampler):
    """Ensemble sampler.

    Parameters
    ----------
    walkers : int
        At least twice the number of parameters, and even.
    move : {"de", "stretch"}
    autocorrelation_times : float
        Length of the chain after burn-in, in integrated autocorrelation times.
    effective_samples : float
        Least number of independent samples.
    burn_in : float
        Least length of the quarter that is dropped, in autocorrelation times.
    max_steps : int
        The run ends here, unconverged, if it did not end before.
    check_every : int
        Least number of steps between estimates of the autocorrelation time; it is a tenth of the
        chain once that is more.
    """

    name = "emcee"
    citation = "Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665"

    def __init__(
        self,
        walkers: int = 64,
        move: Literal["de", "stretch"] = "de",
        autocorrelation_times: float = 50.0,
        effective_samples: float = 2000.0,
        burn_in: float = 10.0,
        max_steps: int = 50_000,
        check_every: int = 250,
    ) -> None:
        for name, value in (("walkers", walkers), ("max_steps", max_steps), ("check_every", check_every)):
            if value < 1:
                raise ConfigurationError(f"{name} = {value} must be at least 1")
        lengths = {
            "autocorrelation_times": autocorrelation_times,
            "effective_samples": effective_samples,
            "burn_in": burn_in,
        }
        for name, length in lengths.items():
            if not 0 <= length < math.inf:
                raise ConfigurationError(f"{name} = {length} must be finite and not negative")
        if walkers % 2:
            raise ConfigurationError(f"walkers = {walkers} must be even")
        self.walkers = walkers
        self.move = move
        self.autocorrelation_times = autocorrelation_times
        self.effective_samples = effective_samples
        self.burn_in = burn_in
        self.max_steps = max_steps
        self.check_every = check_every

    def check(self, target: Target) -> None:
        n_dim = len(target.names)
        if self.walkers < 2 * n_dim:
            raise ConfigurationError(f"walkers = {self.walkers} must be at least {2 * n_dim} for {n_dim} parameters")

    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        import emcee

        self.check(target)
        n_dim = len(target.names)
        counted = Counted(target)
        start_seed, chain_seed = seeds(seed, 2)
        start = _starting_points(counted, self.walkers, np.random.default_rng(start_seed))
        moves = {"de": emcee.moves.DEMove, "stretch": emcee.moves.StretchMove}

        def log_posterior(z: Array) -> Array:
            return counted.log_likelihood(_theta(target, z)) - _half_square(z)

        sampler = emcee.EnsembleSampler(self.walkers, n_dim, log_posterior, moves=moves[self.move](), vectorize=True)
        sampler.random_state = np.random.RandomState(
            np.random.MT19937(chain_seed)
        ).get_state()  # the only form that emcee takes
        tau = np.full(n_dim, np.nan)
        last, check_at = time.monotonic(), self.check_every
        for _ in sampler.sample(start, iterations=self.max_steps):
            step = sampler.iteration
            if step >= check_at:
                check_at = step + max(self.check_every, step // 10)  # an estimate takes longer, the longer the chain
                tau = _autocorrelation_time(sampler, step)
                if self._enough(step, tau):
                    break
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(step, tau, counted.n))
        report(self._progress(sampler.iteration, tau, counted.n))
        return self._samples(sampler, tau, counted)

    def _lengths(self, step: int, tau: Array) -> tuple[float, float, float]:
        """Burn-in and kept length in autocorrelation times, and effective samples."""
        slowest = float(np.max(tau))
        if not np.isfinite(slowest) or slowest <= 0:
            return 0.0, 0.0, 0.0
        burn_in = step // _BURN_IN
        return burn_in / slowest, (step - burn_in) / slowest, (step - burn_in) / slowest * self.walkers

    def _enough(self, step: int, tau: Array) -> bool:
        burn_in, length, ess = self._lengths(step, tau)
        return burn_in >= self.burn_in and length >= self.autocorrelation_times and ess >= self.effective_samples

    def _progress(self, step: int, tau: Array, n: int) -> Progress:
        _, length, ess = self._lengths(step, tau)
        wanted = ((length, self.autocorrelation_times), (ess, self.effective_samples))
        fraction = min((have / need for have, need in wanted if need > 0), default=1.0)
        status = f"{length:.0f} of {self.autocorrelation_times:g} autocorrelation times"
        return Progress(step, n, status, min(fraction, 1.0))

    def _samples(self, sampler: Any, tau: Array, counted: Counted) -> Samples:
        step = int(sampler.iteration)
        discard = step // _BURN_IN
        if not np.all(np.isfinite(tau)):
            tau = _autocorrelation_time(sampler, step)
        slowest = float(np.max(tau)) if np.all(np.isfinite(tau)) else float(step)
        thin = max(int(slowest / 4), 1)
        kept = {"discard": discard, "thin": thin, "flat": True}
        z = sampler.get_chain(**kept)
        theta = _theta(counted, z)
        burn_in, length, ess = self._lengths(step, tau)
        converged = self._enough(step, tau)
        n = len(theta)
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=sampler.get_log_prob(**kept) + _half_square(z),
            log_prior=counted.log_prior(theta),
            log_weight=np.full(n, -np.log(n)),
            sampler=self.name,
            ess=ess,
            converged=converged,
            reason=(
                f"{length:.0f} autocorrelation times ({self.autocorrelation_times:g} asked for) after a burn-in of "
                f"{burn_in:.0f} ({self.burn_in:g} asked for), "
                f"and {ess:.0f} effective samples ({self.effective_samples:g} asked for)"
            ),
            n_likelihood=counted.n,
            diagnostics={
                "steps": step,
                "walkers": self.walkers,
                "burn_in_steps": discard,
                "thin": thin,
                "autocorrelation_time": dict(zip(counted.names, np.asarray(tau).tolist(), strict=True)),
                "acceptance": float(np.mean(sampler.acceptance_fraction)),
            },
        )


def _autocorrelation_time(sampler: Any, step: int) -> Array:
    """Integrated autocorrelation time ``(d,)`` after burn-in; NaN where a chain has not moved yet."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sampler.get_autocorr_time(discard=step // _BURN_IN, tol=0, quiet=True))


def _theta(target: Target, z: Array) -> Array:
    """Parameters ``(n, d)`` of normal scores ``(n, d)``."""
    return target.prior_transform(ndtr(z))


def _half_square(z: Array) -> Array:
    """Minus the log prior density of normal scores, up to a constant: ``(n,)``."""
    return 0.5 * np.sum(z * z, axis=1)


def _starting_points(target: Counted, walkers: int, rng: np.random.Generator) -> Array:
    """Draw normal scores that are spread like the posterior.

    Population Monte Carlo (Cappe et al. 2004, J. Comput. Graph. Stat. 13, 907): draws from the prior are
    weighted by a likelihood tempered so far that several walkers' worth of them carry weight; a Gaussian of
    their mean and twice their covariance gives the next draws, until no tempering is needed. A walker that
    starts far out may stay there for the whole run: differences between the others are too short for it.
    """
    n_dim = len(target.names)
    z = rng.standard_normal((_STARTING_DRAWS, n_dim))
    log_q = -_half_square(z)
    chosen, best, idle = z[:walkers], -1.0, 0
    while best < 1.0 and idle < _STARTING_PATIENCE:
        log_l = np.concatenate([target.log_likelihood(_theta(target, part)) for part in np.array_split(z, 10)])
        usable = np.isfinite(log_l)
        if usable.sum() < 2 * walkers:
            break
        z, log_l, log_q = z[usable], log_l[usable], log_q[usable]
        beta, log_w = _tempered(log_l, -_half_square(z) - log_q, 4 * walkers)
        if beta > best:
            # The top k of these are a resampling without replacement (Gumbel).
            chosen, best, idle = z[np.argsort(log_w + rng.gumbel(size=len(log_w)))[::-1][:walkers]], beta, -1
        idle += 1
        weight = np.exp(log_w - log_w.max())
        covariance = 2.0 * np.cov(z.T, aweights=weight).reshape(n_dim, n_dim) + 1e-8 * np.eye(n_dim)
        centre, root = np.average(z, axis=0, weights=weight), np.linalg.cholesky(covariance)
        unit = rng.standard_normal((_STARTING_DRAWS // 4, n_dim))
        z = centre + unit @ root.T
        log_q = -_half_square(unit) - np.sum(np.log(np.diag(root)))
    if best < 0:
        raise SamplingError(
            f"only {int(usable.sum())} of {len(usable)} prior draws have a finite likelihood; emcee needs "
            f"{2 * walkers} to start. Narrow the prior or check the data"
        )
    return np.asarray(chosen)


def _tempered(log_l: Array, log_ratio: Array, ess: float) -> tuple[float, Array]:
    """Highest power (at most one) of the likelihood at which the weights are worth ``ess`` draws; the log weights."""
    beta = 1.0
    while kish_ess(beta * log_l + log_ratio) < ess and beta > 1e-6:
        beta *= 0.7
    return beta, beta * log_l + log_ratio
