"""NUTS: Hamiltonian Monte Carlo along gradients (Hoffman & Gelman 2014, arXiv:1111.4246), by NumPyro.

The chains move in the space of the prior's normal scores, ``theta = transform(Phi(z))`` with the prior density of a
standard normal in ``z``: a flat prior has no walls there. They start among points that are spread like the posterior,
whose covariance is the first metric; the draws of all chains give the next ones. All chains are evaluated
together: a batch of the compiled likelihood a step, in which a chain whose trajectory has ended waits for the others.

A leapfrog step follows any vector field reversibly, and only energies decide what is accepted. So a point without a
likelihood is a wall at which a trajectory ends (NumPyro counts it as divergent), and a gradient that is not a number is
taken as zero: both leave the posterior as it is.

NumPyro runs in a process of its own, which asks this one for every batch. In one process with us an exception of a
likelihood would have to find its way through XLA, a signal would wait for the end of a round, a likelihood that is
compiled by JAX would run within a program of JAX, and double precision would have to be set for both or for none.

The effective samples are the fewest of any parameter, of its mean and of its variance: trajectories that make turns
know means better than as many independent draws would, and widths worse.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
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
from astroemu.sampling.sampler import Sampler, SamplerTraits, seeds
from astroemu.sampling.samples import Samples
from astroemu.sampling.target import CountedTarget, Target
from astroemu_plugins.samplers.nuts_process import COLUMNS, Pipe
from astroemu_plugins.samplers.population import populate

#: Starting points a parameter, for a covariance of them.
_POINTS = 8
_PACKAGES = ("numpyro", "jax", "jaxlib")
#: How the process is started: on the CPU, since its own arrays are small and the likelihood may have the GPU.
_ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}


class Nuts(Sampler):
    """Sampler that follows gradients.

    Parameters
    ----------
    chains : int
        Number of chains, which are evaluated together.
    warmup : int
        Rounds in which step size and metric are adapted, and which are dropped.
    draws : int
        Draws of each chain in a round; after each it is seen whether they are enough.
    effective_samples : float
        Least number of effective samples of the mean and of the variance of any parameter.
    r_hat : float
        Highest split R-hat of any parameter.
    max_draws : int
        The run ends at so many draws of each chain, unconverged, if it did not end before.
    target_accept : float
        Acceptance for which the step size is adapted; closer to one where trajectories diverge.
    dense_mass : bool
        Whether the metric knows correlations.
    starting_draws : int
        Prior draws among which the starting points are sought.
    """

    name = "nuts"
    citation = "Hoffman & Gelman 2014, JMLR 15, 1593, arXiv:1111.4246; NumPyro: Phan et al. 2019, arXiv:1912.11554"
    packages = _PACKAGES
    traits = SamplerTraits(needs="gradient", batch="fixed")

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
            raise ConfigurationError(f"starting_draws = {starting_draws} must be at least {8 * chains}, 8 a chain")
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
            raise PluginError("the sampler 'nuts' needs a package: pip install 'astroemu-inference[nuts]'")
        super().check(target)

    def run(
        self, target: Target, *, seed: int, folder: Path | None = None, report: ProgressCallback = silent
    ) -> Samples:
        self.check(target)
        counted, n_dim = CountedTarget(target), len(target.names)
        starting, chain = seeds(seed, 2)
        n = max(self.chains, min(_POINTS * n_dim, self.starting_draws // 8))
        population = populate(
            lambda z: counted.log_likelihood(_theta(counted, z)),
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
        """Answer every question until there are draws enough."""
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
                        "engines differ there"
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
        theta, n = _theta(counted, z), len(z)
        diverging = int(also["diverging"].sum())
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
    """Draws ``(chains, n, d + 5)`` so far; effective samples of mean and variance, and R-hat, of each: ``(3, d)``."""

    draws: FloatArray
    known: FloatArray

    def with_another(self, draws: FloatArray, known: FloatArray) -> _Rounds:
        return _Rounds(np.concatenate([self.draws, draws], axis=1), known)

    @property
    def ess(self) -> float:
        """The fewest effective samples, at most one a draw; zero while a chain stands still."""
        found = float(np.min(self.known[:2]))
        return min(found, float(self.draws[..., 0].size)) if math.isfinite(found) else 0.0

    @property
    def r_hat(self) -> float:
        found = float(np.max(self.known[2]))
        return found if math.isfinite(found) else math.inf


def _potential(counted: CountedTarget, z: FloatArray) -> FloatArray:
    """Minus the log posterior of normal scores ``(n, d)`` and its gradient, ``(n, 1 + d)``: infinity, 0 at a wall."""
    u = ndtr(z)
    value, gradient = counted.value_and_grad(counted.prior_transform(u))
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) * counted.prior_slope(u)
        gradient = z - gradient * slope
    usable = np.isfinite(value)[:, None] & np.isfinite(gradient)
    return np.concatenate([(_half_square(z) - value)[:, None], np.where(usable, gradient, 0.0)], axis=1)


def _theta(target: Target, z: FloatArray) -> FloatArray:
    """Parameters ``(n, d)`` of normal scores ``(n, d)``."""
    return target.prior_transform(ndtr(z))


def _half_square(z: FloatArray) -> FloatArray:
    """Minus the log prior density of normal scores, up to a constant: ``(n,)``."""
    return 0.5 * np.sum(z * z, axis=1)


class _Process:
    """NumPyro in its process: messages, to be answered one by one."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: Pipe, log: Path) -> None:
        self._process, self._pipe, self._log = process, pipe, log
        self.tell = pipe.tell

    def __iter__(self) -> Iterator[FloatArray]:
        while (message := self._pipe.told()) is not None:
            yield message
        if self._process.wait():
            raise self.failed()

    def next(self) -> FloatArray:
        """The message that follows one that does not come alone."""
        message = self._pipe.told()
        if message is None:
            raise self.failed()
        return message

    def failed(self) -> SamplingError:
        """What to raise when it ended early."""
        said = self._log.read_text(errors="replace").strip()[-500:]
        return SamplingError(
            f"NumPyro ended with exit code {self._process.wait()} and no result. It said: {said or 'nothing'}"
        )


@contextmanager
def _asking(settings: dict[str, Any], start: FloatArray) -> Iterator[_Process]:
    """Start NumPyro, tell it where to begin, and make sure that it is ended."""
    (ask, theirs_ask), (theirs_answer, answer) = os.pipe(), os.pipe()
    command = [sys.executable, "-m", "astroemu_plugins.samplers.nuts_process"]
    with tempfile.TemporaryDirectory(prefix="astroemu_") as place:
        log = Path(place) / "log"
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [*command, str(theirs_ask), str(theirs_answer), json.dumps(settings)],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=place, pass_fds=(theirs_ask, theirs_answer),
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
            process.wait()
            pipe.close()
