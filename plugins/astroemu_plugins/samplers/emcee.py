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
``autocorrelation_times`` long, holds ``effective_samples`` independent samples, and has halves that agree
(split R-hat).

With ``ensembles`` above one, several are run side by side with streams and starting points of their own: their
effective samples add up, and R-hat compares them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from astroemu.convergence import halves, split_r_hat
from astroemu.errors import ConfigurationError, SamplingError
from astroemu.sampler import Counted, Progress, Report, Sampler, Target, Traits, seeds, silent
from astroemu.samples import Samples, kish_ess

Array = NDArray[np.float64]
#: Draws among which the walkers' starting points are chosen, and rounds in a row that may bring no progress.
_STARTING_DRAWS = 20_000
_STARTING_PATIENCE = 3
#: One part in so many of the chain is burn-in.
_BURN_IN = 4
#: Steps that one ensemble takes before it is the next one's turn.
_TURN = 10


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
    r_hat : float
        Highest split R-hat of any parameter, see :func:`astroemu.convergence.split_r_hat`.
    ensembles : int
        Number of independent ensembles, of so many walkers each.
    starting_draws : int
        Prior draws among which the walkers' starting points are sought.
    """

    name = "emcee"
    citation = "Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665"
    traits = Traits(batch="fixed")

    def __init__(
        self,
        walkers: int = 64,
        move: Literal["de", "stretch"] = "de",
        autocorrelation_times: float = 50.0,
        effective_samples: float = 2000.0,
        burn_in: float = 10.0,
        max_steps: int = 50_000,
        check_every: int = 250,
        r_hat: float = 1.01,
        ensembles: int = 1,
        starting_draws: int = _STARTING_DRAWS,
    ) -> None:
        counts = {"walkers": walkers, "max_steps": max_steps, "check_every": check_every, "ensembles": ensembles}
        for name, value in counts.items():
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
        if r_hat <= 1:
            raise ConfigurationError(f"r_hat = {r_hat} must be more than 1")
        self.r_hat = r_hat
        self.ensembles = ensembles
        if starting_draws < 4 * walkers:
            raise ConfigurationError(f"starting_draws = {starting_draws} must be at least {4 * walkers}, 4 a walker")
        self.starting_draws = starting_draws

    def check(self, target: Target) -> None:
        n_dim = len(target.names)
        if self.walkers < 2 * n_dim:
            raise ConfigurationError(f"walkers = {self.walkers} must be at least {2 * n_dim} for {n_dim} parameters")

    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        self.check(target)
        counted = Counted(target)
        own = seeds(seed, 2 * self.ensembles)
        chains = [Chain(counted, self.walkers, self.move) for _ in range(self.ensembles)]
        for i, chain in enumerate(chains):
            chain.begin(own[2 * i], own[2 * i + 1], self.max_steps, self.starting_draws)
        state = _State(0, np.full(len(target.names), np.nan), np.full(len(target.names), np.nan))
        last, step, check_at = time.monotonic(), 0, self.check_every
        while step < self.max_steps and not self._enough(state):
            turn = min(_TURN, self.max_steps - step, check_at - step)
            for chain in chains:
                chain.advance(turn)
            step += turn
            if step >= check_at:
                check_at = step + max(self.check_every, step // 10)  # an estimate takes longer, the longer the chain
                state = _estimated(chains)
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(step, state, counted.n))
        if state.step < step:
            state = _estimated(chains)
        report(self._progress(step, state, counted.n))
        return self._samples(chains, state, counted)

    def _lengths(self, state: _State) -> tuple[float, float, float]:
        """Burn-in and kept length in autocorrelation times, and effective samples."""
        slowest = float(np.max(state.tau))
        if not np.isfinite(slowest) or slowest <= 0:
            return 0.0, 0.0, 0.0
        burn_in = state.step // _BURN_IN
        length = (state.step - burn_in) / slowest
        return burn_in / slowest, length, length * self.walkers * self.ensembles

    def _enough(self, state: _State) -> bool:
        burn_in, length, ess = self._lengths(state)
        long = burn_in >= self.burn_in and length >= self.autocorrelation_times and ess >= self.effective_samples
        return long and bool(np.max(state.r_hat) <= self.r_hat)

    def _progress(self, step: int, state: _State, n: int) -> Progress:
        _, length, ess = self._lengths(state)
        wanted = ((length, self.autocorrelation_times), (ess, self.effective_samples))
        fraction = min((have / need for have, need in wanted if need > 0), default=1.0)
        status = f"{length:.0f} of {self.autocorrelation_times:g} autocorrelation times"
        return Progress(step, n, status, min(fraction, 1.0))

    def _samples(self, chains: Sequence[Chain], state: _State, counted: Counted) -> Samples:
        slowest = float(np.max(state.tau)) if np.all(np.isfinite(state.tau)) else float(state.step)
        thin = max(int(slowest / 4), 1)
        discard = state.step // _BURN_IN
        z, log_prob = (np.concatenate(parts) for parts in zip(*(c.kept(discard, thin) for c in chains), strict=True))
        theta = _theta(counted, z)
        burn_in, length, ess = self._lengths(state)
        n = len(theta)
        return Samples(
            names=counted.names,
            theta=theta,
            log_likelihood=log_prob + _half_square(z),
            log_prior=counted.log_prior(theta),
            log_weight=np.full(n, -np.log(n)),
            sampler=self.name,
            ess=ess,
            converged=self._enough(state),
            reason=(
                f"{length:.0f} autocorrelation times ({self.autocorrelation_times:g} asked for) after a burn-in of "
                f"{burn_in:.0f} ({self.burn_in:g} asked for), "
                f"{ess:.0f} effective samples ({self.effective_samples:g} asked for), "
                f"and a split R-hat of {np.max(state.r_hat):.4f} (at most {self.r_hat:g} asked for)"
            ),
            n_likelihood=counted.n,
            diagnostics={
                "steps": state.step,
                "walkers": self.walkers,
                "ensembles": self.ensembles,
                "burn_in_steps": discard,
                "thin": thin,
                "autocorrelation_time": dict(zip(counted.names, state.tau.tolist(), strict=True)),
                "r_hat": dict(zip(counted.names, state.r_hat.tolist(), strict=True)),
                "acceptance": float(np.mean([chain.sampler.acceptance_fraction for chain in chains])),
            },
        )


@dataclass(frozen=True, eq=False)
class _State:
    """What is known of the chains: autocorrelation times and R-hat ``(d,)`` at a step; NaN before."""

    step: int
    tau: Array
    r_hat: Array


class Chain:
    """The chain of one ensemble.

    Parameters
    ----------
    counted : Counted
    walkers : int
    move : {"de", "stretch"}
    """

    def __init__(self, counted: Counted, walkers: int, move: str) -> None:
        import emcee

        def log_posterior(z: Array) -> Array:
            return counted.log_likelihood(_theta(counted, z)) - _half_square(z)

        moves = {"de": emcee.moves.DEMove, "stretch": emcee.moves.StretchMove}
        self.counted = counted
        self.sampler = emcee.EnsembleSampler(
            walkers, len(counted.names), log_posterior, moves=moves[move](), vectorize=True
        )
        # emcee wraps it in one that prints a traceback of whatever passes, an interrupt too.
        self.sampler.log_prob_fn = log_posterior
        self._steps: Iterator[Any] = iter(())

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return int(self.sampler.iteration)

    def begin(self, start_seed: Any, chain_seed: Any, max_steps: int, draws: int) -> None:
        """Choose where the walkers start."""
        start = _starting_points(self.counted, self.sampler.nwalkers, np.random.default_rng(start_seed), draws)
        generator = np.random.RandomState(np.random.MT19937(chain_seed))
        self.sampler.random_state = generator.get_state()  # the only form that emcee takes
        self._steps = self.sampler.sample(start, iterations=max_steps)

    def advance(self, steps: int) -> None:
        """Take some steps."""
        for _ in range(steps):
            next(self._steps)

    def autocorrelation_time(self) -> Array:
        """Integrated autocorrelation time ``(d,)`` after burn-in; NaN where the chain has not moved yet."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sampler.get_autocorr_time(discard=self.step // _BURN_IN, tol=0, quiet=True))

    def halves(self) -> tuple[Array, Array]:
        """Means and variances ``(2, d)`` of the two halves after burn-in."""
        return halves(self.sampler.get_chain(discard=self.step // _BURN_IN))

    def kept(self, discard: int, thin: int) -> tuple[Array, Array]:
        """Normal scores ``(n, d)`` and their log posterior ``(n,)`` after burn-in, thinned."""
        which = {"discard": discard, "thin": thin, "flat": True}
        return self.sampler.get_chain(**which), self.sampler.get_log_prob(**which)


def _estimated(chains: Sequence[Chain]) -> _State:
    """Estimate the autocorrelation time, the mean over the chains, and R-hat, over all of their halves."""
    means, variances = zip(*(chain.halves() for chain in chains), strict=True)
    tau = np.mean([chain.autocorrelation_time() for chain in chains], axis=0)
    return _State(chains[0].step, tau, split_r_hat(np.concatenate(means), np.concatenate(variances)))


def _theta(target: Target, z: Array) -> Array:
    """Parameters ``(n, d)`` of normal scores ``(n, d)``."""
    return target.prior_transform(ndtr(z))


def _half_square(z: Array) -> Array:
    """Minus the log prior density of normal scores, up to a constant: ``(n,)``."""
    return 0.5 * np.sum(z * z, axis=1)


def _starting_points(target: Counted, walkers: int, rng: np.random.Generator, draws: int = _STARTING_DRAWS) -> Array:
    """Draw normal scores that are spread like the posterior.

    Population Monte Carlo (Cappe et al. 2004, J. Comput. Graph. Stat. 13, 907): draws from the prior are
    weighted by a likelihood tempered so far that several walkers' worth of them carry weight; a Gaussian of
    their mean and twice their covariance gives the next draws, until no tempering is needed. A walker that
    starts far out may stay there for the whole run: differences between the others are too short for it.
    """
    n_dim = len(target.names)
    z = rng.standard_normal((draws, n_dim))
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
        unit = rng.standard_normal((draws // 4, n_dim))
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
