"""The abstract sampler, and what it samples.

A sampler sees a target: names, a unit-cube transform, a log prior and a log-likelihood that takes
a batch and is never NaN. A model is a target; so is any analytic test problem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from astroemu.parallel import World
from astroemu.samples import Samples

Array = NDArray[np.float64]


class Target(Protocol):
    """What a sampler needs of a problem."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the ``d`` sampled parameters."""
        ...

    def prior_transform(self, u: Array) -> Array:
        """Unit cube ``(n, d)`` to parameters ``(n, d)``."""
        ...

    def log_prior(self, theta: Array) -> Array:
        """Log prior density ``(n,)``."""
        ...

    def log_likelihood(self, theta: Array) -> Array:
        """Log-likelihood ``(n,)``: finite, or minus infinity."""
        ...


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    iteration, n_likelihood : int
    status : str
        What matters for this sampler: autocorrelation times reached, evidence left, ...
    fraction : float, optional
        Share of the work done, where the sampler can tell.
    """

    iteration: int
    n_likelihood: int
    status: str
    fraction: float | None = None


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Traits:
    """What a sampler needs of a problem, and how it can be run.

    Attributes
    ----------
    needs : {"prior_transform", "log_density", "gradient"}
        How it meets the prior.
    batch : {"variable", "fixed", "scalar"}
        Sizes of the batches that it evaluates: of any size, of few sizes, or points one by one.
    minus_infinity : {"taken", "floored"}
        Whether it takes a log-likelihood of minus infinity, or hands itself a finite floor instead.
    processes : {"one", "all"}
        Under MPI: whether it knows of one process only, or all processes call :meth:`Sampler.run` together
        and get the same samples. ``fit`` refuses several processes for the former.
    resumes : bool
        Whether it goes on from what a killed run left in ``folder``.
    may_change : tuple of str
        Options that may differ when a run is resumed, such as limits.
    packages : tuple of str
        Distributions whose version its files and samples depend on.
    """

    needs: Literal["prior_transform", "log_density", "gradient"] = "prior_transform"
    batch: Literal["variable", "fixed", "scalar"] = "variable"
    minus_infinity: Literal["taken", "floored"] = "taken"
    processes: Literal["one", "all"] = "one"
    resumes: bool = False
    may_change: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"needs {self.needs}; batches {self.batch}; -inf {self.minus_infinity}; processes: {self.processes}; "
            f"{'resumes' if self.resumes else 'starts afresh'}"
        )


class Sampler(ABC):
    """A sampling algorithm.

    The keyword arguments of the constructor are its options; annotate them. A sampler keeps no
    state between runs, except in the folder of a run.
    """

    #: Name in results.
    name: str

    #: What it needs and can do. The default claims nothing.
    traits: Traits = Traits()

    #: What to cite, with its arXiv number.
    citation: str = ""

    def check(self, target: Target) -> None:  # noqa: B027 - most samplers take any target
        """Refuse a target that these options cannot sample, before anything is written.

        Raises
        ------
        ConfigurationError
        """

    @abstractmethod
    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        """Sample a target.

        Parameters
        ----------
        target : Target
        seed : int
            The same target, options and seed give the same samples.
        folder : Path, optional
            Where the sampler may keep files of its own. A sampler that resumes finds there what a killed run of
            the same problem, options and seed left; ``fit`` sees to it that it is the same.
        report : callable
            Called now and then with a :class:`Progress`.

        Raises
        ------
        SamplingError
            If it cannot start, or cannot go on.
        """


class Counted:
    """A target that counts the points evaluated through it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.n = 0

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.names

    def prior_transform(self, u: Array) -> Array:
        return self.target.prior_transform(u)

    def log_prior(self, theta: Array) -> Array:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: Array) -> Array:
        self.n += len(theta)
        return self.target.log_likelihood(theta)


class Shared:
    """A target whose batches the processes of a job evaluate together, a part each.

    All of them must ask for the same points at the same time, and all get the same values.

    Parameters
    ----------
    target : Target
    everyone : World
    """

    def __init__(self, target: Target, everyone: World) -> None:
        self.target = target
        self.everyone = everyone

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.names

    def prior_transform(self, u: Array) -> Array:
        return self.target.prior_transform(u)

    def log_prior(self, theta: Array) -> Array:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: Array) -> Array:
        part = np.array_split(theta, self.everyone.size)[self.everyone.rank]
        own = self.target.log_likelihood(part) if len(part) else np.empty(0)
        return np.concatenate(self.everyone.from_all(own))


def seeds(seed: int, n: int) -> list[Any]:
    """Return ``n`` independent seed sequences derived from one number."""
    return list(np.random.SeedSequence(seed).spawn(n))
