"""emcee: an affine-invariant ensemble of walkers (Foreman-Mackey et al. 2013, arXiv:1202.3665).

**Coordinates.** The walkers move in the space of the prior's normal scores: ``theta = transform(Phi(z))``, and the
prior density in ``z`` is a standard normal. A flat prior has no walls there, and correlated or logarithmic priors have
no scale. No proposals are wasted on points outside the prior. As in every sampler on the unit cube, a posterior beyond
8 standard deviations of a prior's upper tail cannot be reached.

**Moves.** Before a chain begins, population Monte Carlo finds the posterior and fits a mixture of Student t
distributions to it (:mod:`astroemu_plugins.samplers.population`). Half of the steps propose draws of that mixture to
all walkers. Accepted draws are independent of earlier positions, and may be in another mode. The other half of the
steps is differential evolution (``DEMove``), which needs no such fit. Some of its steps are full differences between
walkers. The mixture does not change while the chain runs, so the posterior is preserved. A mixture with too low an
acceptance is not used. If the search leaves a poor mixture, it is fitted again to walkers, in rounds before the chain
begins. The snooker variant of emcee 3.1.6 is not offered, because it samples a distribution that is too
narrow.

**Length.** The first sixth of the chain is always dropped. The approach to the posterior then does not affect the
estimate of the autocorrelation time. Lengths are in integrated autocorrelation times of the slowest parameter. The run
ends when this sixth has a length of at least ``burn_in``, and the rest of at least ``autocorrelation_times``. The rest
must also hold ``effective_samples`` independent samples, and its halves must agree (split R-hat).

**Ensembles.** With ``ensembles`` above one, several ensembles run side by side, each with its own random numbers and
starting points. Their effective samples add up, and R-hat compares them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.sampling.convergence import halves, split_r_hat
from astroemu.sampling.sampler import Sampler, SamplerTraits, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import CountedTarget, Target
from astroemu_plugins.samplers.mixture import Mixture
from astroemu_plugins.samplers.population import GOOD, Population, adapted, parameters_at, populate

#: Number of prior draws in the search for the posterior.
_STARTING_DRAWS = 20_000
#: One over the fraction of the chain that is burn-in: 10 autocorrelation times of 60, if 50 are kept.
_BURN_IN = 6
#: A new estimate is made when the chain has grown by one over this number.
_CHECKS = 20
#: Points per autocorrelation time of the fastest parameter in the thinned chain from which the times are estimated.
#: Thinning changes them by 1 in 300 (thin coth(thin / tau) for an exponential), and makes the estimate much cheaper.
_POINTS = 10
#: Least mean acceptance of a fitted mixture's draws. Below it, differential evolution alone is better.
_USEFUL = 0.02
#: Highest ratio of the variances of two halves of the chains. Above it, the ensemble still contracts or spreads.
_STEADY = 4.0
#: Number of steps for which an ensemble has room at first. The room is doubled when it is full.
_ROOM = 256


class Emcee(Sampler):
    """Ensemble sampler emcee.

    Parameters
    ----------
    walkers : int
        Number of walkers per ensemble: even, and at least twice the number of parameters.
    move : {"mixture", "de", "stretch", "kde"}
        Proposals: fitted mixture with differential evolution, differential evolution alone, stretch moves, or draws
        of a kernel density estimate.
    autocorrelation_times : float
        Least length of the chain after burn-in, in integrated autocorrelation times.
    effective_samples : float
        Least number of independent samples.
    burn_in : float
        Least length of the dropped sixth of the chain, in autocorrelation times.
    max_steps : int
        Largest number of steps. A run that reaches it stops and counts as unconverged.
    check_every : int
        Least number of steps between estimates of the autocorrelation time. For long chains the interval is a
        twentieth of the chain.
    r_hat : float
        Highest accepted split R-hat of any parameter, see :func:`astroemu.sampling.convergence.split_r_hat`.
    ensembles : int
        Number of independent ensembles.
    starting_draws : int
        Number of prior draws in the search for the posterior; each later population has half as many.
    """

    name = "emcee"
    citation = "Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665"
    packages = ("emcee",)
    traits = SamplerTraits(batch="fixed")
    stopping = frozenset({"autocorrelation_times", "burn_in", "check_every", "effective_samples", "max_steps", "r_hat"})

    def __init__(
        self,
        walkers: int = 64,
        move: Literal["mixture", "de", "stretch", "kde"] = "mixture",
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
            raise ConfigurationError(f"starting_draws = {starting_draws} must be at least {4 * walkers}, 4 per walker")
        self.starting_draws = starting_draws

    def check(self, target: Target) -> None:
        n_dim = len(target.names)
        if self.walkers < 2 * n_dim:
            raise ConfigurationError(f"walkers = {self.walkers} must be at least {2 * n_dim} for {n_dim} parameters")
        if self.move == "kde" and self.walkers < 4 * n_dim:
            raise ConfigurationError(
                f"walkers = {self.walkers} must be at least {4 * n_dim} for {n_dim} parameters and move = "
                "'kde', which estimates their density"
            )

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        from threadpoolctl import threadpool_limits

        self.check(target)
        with threadpool_limits(limits=1, user_api="blas"):  # sums must not depend on the number of cores
            return self._run(CountedTarget(target), seed, report)

    def _run(self, counted: CountedTarget, seed: int, report: ProgressCallback) -> Samples:
        own = seeds(seed, 2 * self.ensembles)
        chains = [
            Chain(counted, self.population(counted, own[2 * i], report), self.move, own[2 * i + 1], self.max_steps)
            for i in range(self.ensembles)
        ]
        state = _State(0, np.full(len(counted.names), np.nan), np.full(len(counted.names), np.nan))
        last, step, check_at = time.monotonic(), 0, self.check_every
        while step < self.max_steps and not self._enough(state):
            for chain in chains:  # one step each: the order of the requests does not depend on when the run ends
                chain.advance()
            step += 1
            if step >= check_at:
                check_at = step + max(self.check_every, step // _CHECKS)  # estimates cost more as the chain grows
                state = _estimated(chains, state)
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(step, state, counted.n))
        if state.step < step:
            state = _estimated(chains, state)
        report(self._progress(step, state, counted.n))
        return self._samples(chains, state, counted)

    def population(
        self, counted: CountedTarget, seed: Any, report: ProgressCallback = silent, enough: float = GOOD
    ) -> Population:
        """Search for the posterior: the population from which a chain with these options begins.

        Parameters
        ----------
        counted : CountedTarget
        seed : SeedSequence
        report : callable
            Called from time to time with a :class:`~astroemu.core.progress.Progress`.
        enough : float
            Acceptance from which a mixture is kept as the search found it.

        Returns
        -------
        Population

        Raises
        ------
        SamplingError
            If too few draws of the prior have a finite likelihood.
        """
        last = time.monotonic()

        def tell() -> None:
            nonlocal last
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(Progress(0, counted.n, "searching for the posterior"))

        def log_likelihood(z: FloatArray) -> FloatArray:
            tell()
            return counted.log_likelihood(parameters_at(counted, z))

        def walked(population: Population, steps: int) -> FloatArray:
            chain = Chain(counted, population, self.move, rng.integers(2**32), steps)
            for _ in range(steps):
                chain.advance()
                tell()
            return np.asarray(chain.sampler.get_chain())

        rng = np.random.default_rng(seed)
        population = populate(log_likelihood, len(counted.names), self.walkers, self.starting_draws, rng)
        if self.move == "mixture":
            population = adapted(population, walked, log_likelihood, self.starting_draws, enough, rng)
        return population

    def _lengths(self, state: _State) -> tuple[float, float, float]:
        """Return burn-in and kept length, both in autocorrelation times, and the number of effective samples."""
        slowest = float(np.max(state.tau))
        if not np.isfinite(slowest) or slowest <= 0:
            return 0.0, 0.0, 0.0
        burn_in = state.step // _BURN_IN
        length = (state.step - burn_in) / slowest
        return burn_in / slowest, length, length * self.walkers * self.ensembles

    def _enough(self, state: _State) -> bool:
        burn_in, length, ess = self._lengths(state)
        long = burn_in >= self.burn_in and length >= self.autocorrelation_times and ess >= self.effective_samples
        return long and bool(np.max(state.r_hat) <= self.r_hat) and state.steady

    def _progress(self, step: int, state: _State, n: int) -> Progress:
        _, length, ess = self._lengths(state)
        wanted = ((length, self.autocorrelation_times), (ess, self.effective_samples))
        fraction = min((have / need for have, need in wanted if need > 0), default=1.0)
        status = f"{length:.0f} of {self.autocorrelation_times:g} autocorrelation times"
        return Progress(step, n, status, min(fraction, 1.0))

    def _samples(self, chains: Sequence[Chain], state: _State, counted: CountedTarget) -> Samples:
        slowest = float(np.max(state.tau)) if np.all(np.isfinite(state.tau)) else float(state.step)
        thin = max(int(slowest / 4), 1)
        discard = state.step // _BURN_IN
        z, log_prob = (np.concatenate(parts) for parts in zip(*(c.kept(discard, thin) for c in chains), strict=True))
        theta = parameters_at(counted, z)
        burn_in, length, ess = self._lengths(state)
        n = len(theta)
        counted.demand_resolved(log_prob + _half_square(z))
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
                + ("" if state.steady else "; the walkers were still contracting or spreading")
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
    """Last estimates for the chains.

    Attributes
    ----------
    step : int
        Number of steps at the time of the estimate.
    tau, r_hat : (d,) array
        Integrated autocorrelation times [steps] and split R-hat; NaN before the first estimate.
    steady : bool
        False if the halves of the chains differ too much in width. R-hat compares their means only.
    """

    step: int
    tau: FloatArray
    r_hat: FloatArray
    steady: bool = True


class Chain:
    """Chain of one ensemble.

    Parameters
    ----------
    counted : CountedTarget
    population : Population
        Starting points of the walkers, and the mixture of the moves "mixture".
    move : {"mixture", "de", "stretch", "kde"}
    seed : SeedSequence
    max_steps : int
        Largest number of steps.
    """

    def __init__(self, counted: CountedTarget, population: Population, move: str, seed: Any, max_steps: int) -> None:
        import emcee

        def log_posterior(z: FloatArray) -> FloatArray:
            return counted.log_likelihood(parameters_at(counted, z)) - _half_square(z)

        moves = _moves(move, population)
        self.sampler = emcee.EnsembleSampler(
            *population.start.shape, log_posterior, moves=moves, vectorize=True, backend=_growing()
        )
        # emcee's wrapper prints a traceback of every exception, even of an interrupt.
        self.sampler.log_prob_fn = log_posterior
        generator = np.random.RandomState(np.random.MT19937(seed))
        self.sampler.random_state = generator.get_state()  # the only form that emcee accepts
        self._steps: Iterator[Any] = self.sampler.sample(population.start, iterations=max_steps)

    @property
    def step(self) -> int:
        """Number of steps so far."""
        return int(self.sampler.iteration)

    def advance(self) -> None:
        """Take one step."""
        next(self._steps)

    def autocorrelation_time(self, thin: int) -> FloatArray:
        """Return the integrated autocorrelation times ``(d,)`` [steps] after burn-in; NaN if the chain has not moved.

        Parameters
        ----------
        thin : int
            Only every so many steps are used.
        """
        which = {"discard": self.step // _BURN_IN, "thin": thin}
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.sampler.get_autocorr_time(**which, tol=0, quiet=True))

    def halves(self) -> tuple[FloatArray, FloatArray]:
        """Return the means and the variances of the two halves after burn-in: ``(2, d)`` each."""
        return halves(self.sampler.get_chain(discard=self.step // _BURN_IN))

    def kept(self, discard: int, thin: int) -> tuple[FloatArray, FloatArray]:
        """Return the thinned normal scores ``(n, d)`` after burn-in, and their log posteriors ``(n,)``."""
        which = {"discard": discard, "thin": thin, "flat": True}
        return self.sampler.get_chain(**which), self.sampler.get_log_prob(**which)


def _growing() -> Any:
    """Return a backend of emcee whose memory grows with the chain; emcee's own takes all of ``max_steps`` at once."""
    from emcee.backends import Backend

    class Growing(Backend):  # type: ignore[misc, no-any-unimported, unused-ignore]
        def grow(self, ngrow: int, blobs: Any) -> None:
            super().grow(min(ngrow, _ROOM), blobs)

        def save_step(self, state: Any, accepted: Any) -> None:
            if self.iteration == len(self.chain):
                for name in ("chain", "log_prob"):
                    setattr(self, name, _doubled(getattr(self, name)))
            super().save_step(state, accepted)

    return Growing()


def _doubled(array: FloatArray) -> FloatArray:
    """Return an array with room for as many rows again. Nothing is written there, so it takes no memory yet."""
    found = np.empty((2 * len(array), *array.shape[1:]), array.dtype)
    found[: len(array)] = array
    return found


def _moves(name: str, population: Population) -> list[tuple[Any, float]]:
    """Return emcee's moves with their probabilities. All of them preserve the posterior."""
    from emcee.moves import DEMove, KDEMove, MHMove, StretchMove

    if name == "mixture":
        evolution = [(DEMove(), 0.4), (DEMove(gamma0=1.0), 0.1)]
        useful = population.mixture is not None and population.acceptance >= _USEFUL
        return [*evolution, (MHMove(_independent(population.mixture)), 0.5)] if useful else evolution
    return [({"de": DEMove, "stretch": StretchMove, "kde": KDEMove}[name](), 1.0)]


def _independent(mixture: Mixture | None) -> Callable[[FloatArray, Any], tuple[FloatArray, FloatArray]]:
    """Return a proposal function for ``MHMove``.

    It returns new points ``(n, d)`` and the log ratio ``(n,)`` of the densities of the backward and forward proposals.
    """
    assert mixture is not None

    def propose(z: FloatArray, rng: Any) -> tuple[FloatArray, FloatArray]:
        proposed = mixture.draw(len(z), rng)
        return proposed, mixture.log_density(z) - mixture.log_density(proposed)

    return propose


def _estimated(chains: Sequence[Chain], before: _State) -> _State:
    """Return estimates of the autocorrelation times (mean over the chains) and of R-hat (over all halves)."""
    means, variances = zip(*(chain.halves() for chain in chains), strict=True)
    fastest = float(np.min(before.tau))
    thin = max(int(fastest / _POINTS), 1) if np.isfinite(fastest) else 1
    tau = np.mean([chain.autocorrelation_time(thin) for chain in chains], axis=0)
    centres, widths = np.concatenate(means), np.concatenate(variances)
    steady = bool(np.all(widths.max(axis=0) <= _STEADY * widths.min(axis=0)))
    return _State(chains[0].step, tau, split_r_hat(centres, widths), steady)


def _half_square(z: FloatArray) -> FloatArray:
    """Return minus the log prior density ``(n,)`` of normal scores ``(n, d)``, up to a constant."""
    return 0.5 * np.sum(z * z, axis=1)
