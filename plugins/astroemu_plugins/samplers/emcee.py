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

Under MPI every process runs an ensemble of its own (``mpi = "ensembles"``): their effective samples add up,
and R-hat compares them. Where a single point takes long, one ensemble is shared instead (``mpi = "pool"``):
each process evaluates its part of every batch, and the samples are those of one process.

The state (the chain so far, the generator, the counts) is written every ``checkpoint_seconds``; a resumed run
gives bit for bit the samples of one that was never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from astroemu.checkpoint import Checkpoint, State
from astroemu.convergence import halves, split_r_hat
from astroemu.errors import ConfigurationError, SamplingError
from astroemu.parallel import World, world
from astroemu.sampler import Counted, Progress, Report, Sampler, Shared, Target, Traits, seeds, silent
from astroemu.samples import Samples, kish_ess

Array = NDArray[np.float64]
#: Draws among which the walkers' starting points are chosen, and rounds in a row that may bring no progress.
_STARTING_DRAWS = 20_000
_STARTING_PATIENCE = 3
#: One part in so many of the chain is burn-in.
_BURN_IN = 4
#: The processes agree on writing their states every so many steps.
_MEETING = 10
#: What stored and new log-likelihoods may differ by: engines differ by 1e-3.
_SAME = 0.01


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
    mpi : {"ensembles", "pool"}
    checkpoint_seconds : float
        Least time between two writings of the state.
    starting_draws : int
        Prior draws among which the walkers' starting points are sought.
    """

    name = "emcee"
    citation = "Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665"
    traits = Traits(
        batch="fixed",
        processes="all",
        resumes=True,
        may_change=("checkpoint_seconds", "max_steps"),
        packages=("emcee",),
    )

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
        mpi: Literal["ensembles", "pool"] = "ensembles",
        checkpoint_seconds: float = 10.0,
        starting_draws: int = _STARTING_DRAWS,
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
        if r_hat <= 1:
            raise ConfigurationError(f"r_hat = {r_hat} must be more than 1")
        self.r_hat = r_hat
        self.mpi = mpi
        if not checkpoint_seconds >= 0:
            raise ConfigurationError(f"checkpoint_seconds = {checkpoint_seconds} must not be negative")
        self.checkpoint_seconds = checkpoint_seconds
        if starting_draws < 4 * walkers:
            raise ConfigurationError(f"starting_draws = {starting_draws} must be at least {4 * walkers}, 4 a walker")
        self.starting_draws = starting_draws

    def check(self, target: Target) -> None:
        n_dim = len(target.names)
        if self.walkers < 2 * n_dim:
            raise ConfigurationError(f"walkers = {self.walkers} must be at least {2 * n_dim} for {n_dim} parameters")

    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        self.check(target)
        shared = self.mpi == "pool"
        # In a pool every process takes the same steps, so each of them runs what one process would.
        everyone = World() if shared else world()
        counted = Counted(Shared(target, world()) if shared else target)
        checkpoint = Checkpoint(self._file(folder, everyone), every=self.checkpoint_seconds)
        facts = {
            "names": list(target.names),
            "seed": seed,
            "walkers": self.walkers,
            "move": self.move,
            "processes": everyone.size,
        }
        chain = Chain(counted, self.walkers, self.move)
        state = self._found(checkpoint, everyone, facts)
        if state is None:
            own = seeds(seed, 2 * everyone.size)[2 * everyone.rank :]
            chain.begin(own[0], own[1], self.max_steps, self.starting_draws)
            chain.check_at = self.check_every
        else:
            chain.resume(state, self.max_steps)
        last = time.monotonic()
        while chain.step < self.max_steps and not self._enough(chain, everyone):
            chain.advance(min(_MEETING, self.max_steps - chain.step, chain.check_at - chain.step))
            if chain.step >= chain.check_at:
                # An estimate takes longer, the longer the chain.
                chain.check_at += max(self.check_every, chain.step // 10)
                chain.estimate(everyone)
            # All meet here, so that no state is more than one writing ahead of another process's.
            if everyone.from_all(checkpoint.due())[0] and world().rank == everyone.rank:
                checkpoint.save({**facts, **chain.facts()}, chain.arrays())
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(chain, everyone))
        chain.estimate(everyone)
        report(self._progress(chain, everyone))
        return self._samples(chain, everyone)

    def _file(self, folder: Path | None, everyone: World) -> Path | None:
        return None if folder is None else folder / f"emcee-{everyone.rank}.h5"

    def _found(self, checkpoint: Checkpoint, everyone: World, facts: Mapping[str, Any]) -> State | None:
        """The newest state that all processes have; none of another run."""
        if self.mpi == "pool":
            states = world().from_first(checkpoint.load() if world().first else None)
        else:
            states = checkpoint.load()
        for state in states:
            _refuse_other(state, facts, checkpoint.path)
        steps = everyone.from_all({int(state.facts["step"]) for state in states})
        common = set.intersection(*steps)
        return next((state for state in states if common and state.facts["step"] == max(common)), None)

    def _lengths(self, chain: Chain, everyone: World) -> tuple[float, float, float]:
        """Burn-in and kept length in autocorrelation times, and effective samples."""
        slowest = float(np.max(chain.tau))
        if not np.isfinite(slowest) or slowest <= 0:
            return 0.0, 0.0, 0.0
        burn_in = chain.checked // _BURN_IN
        length = (chain.checked - burn_in) / slowest
        return burn_in / slowest, length, length * self.walkers * everyone.size

    def _enough(self, chain: Chain, everyone: World) -> bool:
        burn_in, length, ess = self._lengths(chain, everyone)
        long = burn_in >= self.burn_in and length >= self.autocorrelation_times and ess >= self.effective_samples
        return long and bool(np.max(chain.r_hat) <= self.r_hat)

    def _progress(self, chain: Chain, everyone: World) -> Progress:
        _, length, ess = self._lengths(chain, everyone)
        wanted = ((length, self.autocorrelation_times), (ess, self.effective_samples))
        fraction = min((have / need for have, need in wanted if need > 0), default=1.0)
        status = f"{length:.0f} of {self.autocorrelation_times:g} autocorrelation times"
        return Progress(chain.step, chain.counted.n, status, min(fraction, 1.0))

    def _samples(self, chain: Chain, everyone: World) -> Samples:
        slowest = float(np.max(chain.tau)) if np.all(np.isfinite(chain.tau)) else float(chain.step)
        thin = max(int(slowest / 4), 1)
        discard = chain.step // _BURN_IN
        z, log_prob = chain.kept(discard, thin)
        z, log_prob = np.concatenate(everyone.from_all(z)), np.concatenate(everyone.from_all(log_prob))
        names = chain.counted.names
        theta = _theta(chain.counted, z)
        burn_in, length, ess = self._lengths(chain, everyone)
        n = len(theta)
        return Samples(
            names=names,
            theta=theta,
            log_likelihood=log_prob + _half_square(z),
            log_prior=chain.counted.log_prior(theta),
            log_weight=np.full(n, -np.log(n)),
            sampler=self.name,
            ess=ess,
            converged=self._enough(chain, everyone),
            reason=(
                f"{length:.0f} autocorrelation times ({self.autocorrelation_times:g} asked for) after a burn-in of "
                f"{burn_in:.0f} ({self.burn_in:g} asked for), "
                f"{ess:.0f} effective samples ({self.effective_samples:g} asked for), "
                f"and a split R-hat of {np.max(chain.r_hat):.4f} (at most {self.r_hat:g} asked for)"
            ),
            n_likelihood=sum(everyone.from_all(chain.counted.n)),
            diagnostics={
                "steps": chain.step,
                "walkers": self.walkers,
                "ensembles": everyone.size,
                "burn_in_steps": discard,
                "thin": thin,
                "autocorrelation_time": dict(zip(names, chain.tau.tolist(), strict=True)),
                "r_hat": dict(zip(names, chain.r_hat.tolist(), strict=True)),
                "acceptance": float(np.mean(everyone.from_all(chain.acceptance))),
            },
        )


class Chain:
    """The chain of one ensemble: everything that a resumed run has to have.

    Parameters
    ----------
    counted : Counted
    walkers : int
    move : {"de", "stretch"}

    Attributes
    ----------
    check_at : int
        The step at which the autocorrelation time is estimated next.
    checked : int
        The step at which it was estimated last.
    tau, r_hat : (d,) array
        As estimated last, over all ensembles; NaN before.
    """

    def __init__(self, counted: Counted, walkers: int, move: str) -> None:
        import emcee

        def log_posterior(z: Array) -> Array:
            return counted.log_likelihood(_theta(counted, z)) - _half_square(z)

        moves = {"de": emcee.moves.DEMove, "stretch": emcee.moves.StretchMove}
        n_dim = len(counted.names)
        self.counted = counted
        self.sampler = emcee.EnsembleSampler(walkers, n_dim, log_posterior, moves=moves[move](), vectorize=True)
        self.check_at = self.checked = 0
        self.tau, self.r_hat = np.full(n_dim, np.nan), np.full(n_dim, np.nan)
        self._steps: Iterator[Any] = iter(())

    @property
    def step(self) -> int:
        return int(self.sampler.iteration)

    @property
    def acceptance(self) -> float:
        return float(np.mean(self.sampler.acceptance_fraction))

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

    def estimate(self, everyone: World) -> None:
        """Estimate the autocorrelation time and R-hat after burn-in, over the ensembles of all processes."""
        if self.checked == self.step:
            return
        self.checked = self.step
        self.tau = np.mean(everyone.from_all(_autocorrelation_time(self.sampler, self.step)), axis=0)
        each = everyone.from_all(halves(self.sampler.get_chain(discard=self.step // _BURN_IN)))
        self.r_hat = split_r_hat(np.concatenate([m for m, _ in each]), np.concatenate([v for _, v in each]))

    def kept(self, discard: int, thin: int) -> tuple[Array, Array]:
        """Normal scores ``(n, d)`` and their log posterior ``(n,)`` after burn-in, thinned."""
        which = {"discard": discard, "thin": thin, "flat": True}
        return self.sampler.get_chain(**which), self.sampler.get_log_prob(**which)

    def facts(self) -> dict[str, Any]:
        """Plain values of the state."""
        _, _, position, has_gauss, gauss = self.sampler.random_state
        return {
            "step": self.step,
            "checked": self.checked,
            "check_at": self.check_at,
            "n": self.counted.n,
            "generator": [int(position), int(has_gauss), float(gauss)],
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays of the state."""
        backend = self.sampler.backend
        return {
            "chain": backend.chain[: self.step],
            "log_prob": backend.log_prob[: self.step],
            "accepted": backend.accepted,
            "tau": self.tau,
            "r_hat": self.r_hat,
            "generator": self.sampler.random_state[1],
        }

    def resume(self, state: State, max_steps: int) -> None:
        """Take up a state.

        Raises
        ------
        SamplingError
            If the log-likelihood at its last points is not what it was.
        """
        import emcee

        facts, arrays = state.facts, state.arrays
        walkers = arrays["chain"][-1]
        found = self.counted.target.log_likelihood(_theta(self.counted, walkers)) - _half_square(walkers)
        if not np.allclose(found, arrays["log_prob"][-1], rtol=1e-6, atol=_SAME):
            worst = float(np.max(np.abs(found - arrays["log_prob"][-1])))
            raise SamplingError(
                f"the likelihood is not that of the run to be resumed: at its last points ln L differs by up to "
                f"{worst:.3g}. Start afresh in another folder"
            )
        backend = self.sampler.backend
        backend.chain, backend.log_prob, backend.accepted = arrays["chain"], arrays["log_prob"], arrays["accepted"]
        backend.iteration = int(facts["step"])
        generator = ("MT19937", arrays["generator"], *facts["generator"])
        now = emcee.State(walkers, log_prob=arrays["log_prob"][-1], random_state=generator)
        self._steps = self.sampler.sample(now, iterations=max(max_steps - self.step, 0), skip_initial_state_check=True)
        self.counted.n, self.checked, self.check_at = int(facts["n"]), int(facts["checked"]), int(facts["check_at"])
        self.tau, self.r_hat = arrays["tau"], arrays["r_hat"]


def _refuse_other(state: State, asked: Mapping[str, Any], file: Path | None) -> None:
    for what, value in asked.items():
        if state.facts[what] != value:
            raise SamplingError(
                f"{file} holds the state of a run with {what} = {state.facts[what]}, not {value}; "
                "go on with that, or start afresh in another folder"
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
