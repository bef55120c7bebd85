"""NUTS: Hamiltonian Monte Carlo with gradients (Hoffman & Gelman 2014, arXiv:1111.4246), by NumPyro.

**Coordinates.** The chains move in the space of the prior's normal scores: ``theta = transform(Phi(z))``, and the prior
density in ``z`` is a standard normal. A flat prior has no walls there. The starting points are distributed like the
posterior, and their covariance is the first metric. The draws of all chains give the next metrics. All chains are
evaluated together, with one batch of the compiled likelihood per leapfrog step. A chain whose trajectory has ended
waits for the others.

**Points without a likelihood.** A leapfrog step follows any vector field reversibly, and only energies decide the
acceptance. A point without a finite likelihood is therefore a wall at which a trajectory ends; NumPyro counts it as
divergent. A gradient that is not finite is set to zero. Neither changes the posterior.

**Process.** NumPyro runs in its own process, which requests every batch from this one. In the same process, exceptions
of a likelihood would have to pass through XLA, and signals would wait for the end of a round. A likelihood compiled by
JAX would run inside a JAX program, and both would need the same setting of double precision.

**Effective samples.** Their number is the smallest over all parameters, both for the mean and for the variance. NUTS
trajectories determine means better than the same number of independent draws, and widths worse.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from astroemu.core.progress import Progress, ProgressCallback, silent
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, PluginError, SamplingError
from astroemu.io.lock import temporary_folder
from astroemu.sampling.sampler import Sampler, SamplerTraits, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import CountedTarget, Target
from astroemu_plugins.samplers.nuts_process import COLUMNS, Pipe
from astroemu_plugins.samplers.population import parameters_at, populate

#: Number of starting points per parameter, for their covariance.
_POINTS = 8
_PACKAGES = ("numpyro", "jax", "jaxlib")
#: Environment of the process. It uses the CPU: its own arrays are small, and the likelihood may use the GPU.
_ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}


class Nuts(Sampler):
    """Gradient-based sampler NUTS.

    Parameters
    ----------
    chains : int
        Number of chains, which are evaluated together.
    warmup : int
        Number of rounds that adapt step size and metric. Their draws are dropped.
    draws : int
        Number of draws of each chain per round. Convergence is checked after each round.
    effective_samples : float
        Least number of effective samples, for the mean and the variance of every parameter.
    r_hat : float
        Highest accepted split R-hat of any parameter.
    max_draws : int
        Largest number of draws of each chain. A run that reaches it stops and counts as unconverged.
    target_accept : float
        Target acceptance of the step-size adaptation. Use a value closer to one if trajectories diverge.
    dense_mass : bool
        If True, the metric includes correlations between parameters.
    starting_draws : int
        Number of prior draws in the search for starting points.
    """

    name = "nuts"
    citation = "Hoffman & Gelman 2014, JMLR 15, 1593, arXiv:1111.4246; NumPyro: Phan et al. 2019, arXiv:1912.11554"
    packages = _PACKAGES
    traits = SamplerTraits(needs="gradient", batch="fixed")
    stopping = frozenset({"effective_samples", "max_draws", "r_hat"})

    def __init__(
        self,
        chains: int = 16,
        warmup: int = 6,
        draws: int = 50,
        effective_samples: float = 2000.0,
        r_hat: float = 1.01,
        max_draws: int = 20_000,
        target_accept: float = 0.8,
        dense_mass: bool = True,
        starting_draws: int = 20_000,
    ) -> None:
        for name, value, least in (("chains", chains, 2), ("warmup", warmup, 1), ("draws", draws, 20)):
            if value < least:
                raise ConfigurationError(f"{name} = {value} must be at least {least}")
        if max_draws < draws:
            raise ConfigurationError(f"max_draws = {max_draws} must be at least draws = {draws}")
        if not 0 <= effective_samples < math.inf:
            raise ConfigurationError(f"effective_samples = {effective_samples} must be finite and not negative")
        if r_hat <= 1:
            raise ConfigurationError(f"r_hat = {r_hat} must be more than 1")
        if not 0 < target_accept < 1:
            raise ConfigurationError(f"target_accept = {target_accept} must be in (0, 1)")
        if starting_draws < 8 * chains:
            raise ConfigurationError(f"starting_draws = {starting_draws} must be at least {8 * chains}, 8 per chain")
        self.chains = chains
        self.warmup = warmup
        self.draws = draws
        self.effective_samples = effective_samples
        self.r_hat = r_hat
        self.max_draws = max_draws
        self.target_accept = target_accept
        self.dense_mass = dense_mass
        self.starting_draws = starting_draws

    def check(self, target: Target) -> None:
        if not all(find_spec(package) for package in _PACKAGES):
            raise PluginError("the sampler 'nuts' needs NumPyro and JAX: pip install 'astroemu-inference[nuts]'")
        super().check(target)

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        from threadpoolctl import threadpool_limits

        self.check(target)
        counted, n_dim = CountedTarget(target), len(target.names)
        starting, chain = seeds(seed, 2)
        n = max(self.chains, min(_POINTS * n_dim, self.starting_draws // 8))
        with threadpool_limits(limits=1, user_api="blas"):  # sums must not depend on the number of cores
            population = populate(
                lambda z: counted.log_likelihood(parameters_at(counted, z)),
                n_dim, n, self.starting_draws, np.random.default_rng(starting),
            )  # fmt: skip
        settings = {
            "chains": self.chains,
            "warmup": self.warmup,
            "draws": self.draws,
            "dense_mass": self.dense_mass,
            "target_accept": self.target_accept,
            "seed": int(chain.generate_state(1)[0]),
        }
        with _asking(settings, population.start) as process:
            rounds = self._answered(process, counted, report)
        return self._samples(rounds, counted)

    def _answered(self, process: _Process, counted: CountedTarget, report: ProgressCallback) -> _Rounds:
        """Answer every request until there are enough draws, and return them."""
        n_dim, last, before = len(counted.names), time.monotonic(), counted.n
        rounds = _Rounds(np.empty((self.chains, 0, n_dim + len(COLUMNS))), np.full((3, n_dim), np.nan))
        for message in process:
            if message.shape[-1] > n_dim:
                rounds = rounds.with_another(message, process.next()[0])
                process.tell(np.full((1, 1, 1), float(not self._ended(rounds))))
            else:
                answer = _potential(counted, message[0])
                if counted.n == before + self.chains and not np.all(np.isfinite(answer[:, 0])):
                    raise SamplingError(
                        "a starting point has a likelihood, but none when it is evaluated with its gradient: the two "
                        "engines disagree there"
                    )
                process.tell(answer[None])
            if time.monotonic() - last > 0.2:
                last = time.monotonic()
                report(self._progress(rounds, counted.n))
        report(self._progress(rounds, counted.n))
        return rounds

    def _converged(self, rounds: _Rounds) -> bool:
        return rounds.ess >= self.effective_samples and rounds.r_hat <= self.r_hat

    def _ended(self, rounds: _Rounds) -> bool:
        return self._converged(rounds) or rounds.draws.shape[1] + self.draws > self.max_draws

    def _progress(self, rounds: _Rounds, n: int) -> Progress:
        drawn = rounds.draws.shape[1]
        if not drawn:
            return Progress(0, n, "warming up")
        status = f"{rounds.ess:.0f} of {self.effective_samples:g} effective samples, R-hat {rounds.r_hat:.3f}"
        fraction = rounds.ess / self.effective_samples if self.effective_samples else 1.0
        return Progress(drawn, n, status, min(fraction, 1.0))

    def _samples(self, rounds: _Rounds, counted: CountedTarget) -> Samples:
        drawn, names = rounds.draws.shape[1], counted.names
        z = rounds.draws[..., : len(names)].reshape(-1, len(names))
        also = dict(zip(COLUMNS, np.moveaxis(rounds.draws[..., len(names) :], -1, 0), strict=True))
        theta, n = parameters_at(counted, z), len(z)
        diverging = int(also["diverging"].sum())
        counted.demand_resolved(_half_square(z) - also["potential_energy"].ravel())
        return Samples(
            names=names,
            theta=theta,
            log_likelihood=_half_square(z) - also["potential_energy"].ravel(),
            log_prior=counted.log_prior(theta),
            log_weight=np.full(n, -np.log(n)),
            sampler=self.name,
            ess=rounds.ess,
            converged=self._converged(rounds),
            reason=(
                f"{rounds.ess:.0f} effective samples ({self.effective_samples:g} asked for) and a split R-hat of "
                f"{rounds.r_hat:.4f} (at most {self.r_hat:g} asked for) after {drawn} draws of each of {self.chains} "
                f"chains (at most {self.max_draws}); {diverging} of {n} trajectories met a wall or diverged"
            ),
            n_likelihood=counted.n,
            diagnostics={
                "chains": self.chains,
                "warmup": self.warmup,
                "draws": drawn,
                **{
                    label: dict(zip(names, values.tolist(), strict=True))
                    for label, values in zip(("ess_mean", "ess_variance", "r_hat"), rounds.known, strict=True)
                },
                "divergences": diverging,
                "step_size": float(also["adapt_state.step_size"].mean()),
                "leapfrogs": float(also["num_steps"].mean()),
                "acceptance": float(also["accept_prob"].mean()),
            },
        )


@dataclass(frozen=True, eq=False)
class _Rounds:
    """Draws so far and their diagnostics.

    Attributes
    ----------
    draws : (chains, n, d + 5) array
        See :data:`astroemu_plugins.samplers.nuts_process.COLUMNS`.
    known : (3, d) array
        See :func:`astroemu_plugins.samplers.nuts_process.known`.
    """

    draws: FloatArray
    known: FloatArray

    def with_another(self, draws: FloatArray, known: FloatArray) -> _Rounds:
        return _Rounds(np.concatenate([self.draws, draws], axis=1), known)

    @property
    def ess(self) -> float:
        """Smallest number of effective samples, at most one per draw; zero if a chain has not moved."""
        found = float(np.min(self.known[:2]))
        return min(found, float(self.draws[..., 0].size)) if math.isfinite(found) else 0.0

    @property
    def r_hat(self) -> float:
        found = float(np.max(self.known[2]))
        return found if math.isfinite(found) else math.inf


def _potential(counted: CountedTarget, z: FloatArray) -> FloatArray:
    """Return minus the log posterior of normal scores ``(n, d)`` and its gradient: ``(n, 1 + d)``.

    At a wall the value is infinity and the gradient zero.
    """
    u = ndtr(z)
    value, gradient = counted.value_and_grad(counted.prior_transform(u))
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        gradient = z - slope * counted.prior_pullback(u, gradient)
    usable = np.isfinite(value)[:, None] & np.isfinite(gradient)
    return np.concatenate([(_half_square(z) - value)[:, None], np.where(usable, gradient, 0.0)], axis=1)


def _half_square(z: FloatArray) -> FloatArray:
    """Return minus the log prior density ``(n,)`` of normal scores ``(n, d)``, up to a constant."""
    return 0.5 * np.sum(z * z, axis=1)


class _Process:
    """Process in which NumPyro runs. Iteration yields its messages, which must be answered one by one."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: Pipe, log: Path) -> None:
        self._process, self._pipe, self._log = process, pipe, log
        self.tell = pipe.tell

    def __iter__(self) -> Iterator[FloatArray]:
        while (message := self._pipe.told()) is not None:
            yield message
        if self._process.wait():
            raise self.failed()

    def next(self) -> FloatArray:
        """Return the second message of a pair."""
        message = self._pipe.told()
        if message is None:
            raise self.failed()
        return message

    def failed(self) -> SamplingError:
        """Return the exception for a process that ended early."""
        said = self._log.read_text(errors="replace").strip()[-500:]
        return SamplingError(
            f"NumPyro ended with exit code {self._process.wait()} and no result. It said: {said or 'nothing'}"
        )


@contextmanager
def _asking(settings: dict[str, Any], start: FloatArray) -> Iterator[_Process]:
    """Start NumPyro at points ``start`` ``(n, d)``, and end it on exit."""
    (ask, theirs_ask), (theirs_answer, answer) = os.pipe(), os.pipe()
    command = [sys.executable, "-m", "astroemu_plugins.samplers.nuts_process"]
    with temporary_folder() as place:
        log = place / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*command, str(theirs_ask), str(theirs_answer), json.dumps(settings)],
                stdin=subprocess.PIPE, stdout=said, stderr=said, cwd=place, pass_fds=(theirs_ask, theirs_answer),
                start_new_session=True, env={**os.environ, **_ENVIRONMENT},
            )  # fmt: skip
        os.close(theirs_ask)
        os.close(theirs_answer)
        pipe = Pipe(ask, answer)
        running = _Process(process, pipe, log)
        try:
            pipe.tell(start[None])
            yield running
        except BrokenPipeError:
            raise running.failed() from None
        finally:
            process.kill()
            process.communicate()
            pipe.close()
