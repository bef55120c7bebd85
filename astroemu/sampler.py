"""The abstract sampler, and what it samples.

A sampler sees a target: names, a unit-cube transform, a log prior and a log-likelihood that takes
a batch and is never NaN; one that follows gradients sees the slopes of transform and likelihood too. A model is a
target; so is any analytic test problem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from astroemu.errors import ConfigurationError, SamplingError
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


class GradientTarget(Target, Protocol):
    """What a sampler needs that follows gradients. The parameters are independent under the prior."""

    def prior_slope(self, u: Array) -> Array:
        """Derivative ``(n, d)`` of each parameter of :meth:`prior_transform` with respect to its own ``u``."""
        ...

    def value_and_grad(self, theta: Array) -> tuple[Array, Array]:
        """Log-likelihood ``(n,)`` and its gradient ``(n, d)``, which is NaN where the former is minus infinity."""
        ...


def with_gradient(target: Target) -> GradientTarget:
    """Return a target that has gradients.

    A target whose gradients may be missing although it has these members says so by a method ``demand_gradient``.

    Raises
    ------
    ConfigurationError
        If it has none.
    """
    missing = [name for name in ("prior_slope", "value_and_grad") if not hasattr(target, name)]
    if missing:
        raise ConfigurationError(
            f"this sampler follows gradients, and {type(target).__name__} has no {' and no '.join(missing)}; take a "
            "sampler that needs none, such as emcee"
        )
    if hasattr(target, "demand_gradient"):
        target.demand_gradient()
    return cast(GradientTarget, target)


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
    """What a sampler needs of a problem.

    Several processes and resuming need nothing of it: the engine shares every batch (:mod:`astroemu.pool`) and keeps
    every answer (:mod:`astroemu.record`), for a sampler that asks the same questions again.

    Attributes
    ----------
    needs : {"prior_transform", "log_density", "gradient"}
        How it meets the prior; with gradients, its target is a :class:`GradientTarget`.
    batch : {"variable", "fixed", "scalar"}
        Sizes of the batches that it evaluates: of any size, of few sizes, or points one by one.
    minus_infinity : {"taken", "floored"}
        Whether it takes a log-likelihood of minus infinity, or hands itself a finite floor instead.
    nested : bool
        Whether its samples have an evidence and ``log_birth``, which ``astroemu tension`` needs.
    """

    needs: Literal["prior_transform", "log_density", "gradient"] = "prior_transform"
    batch: Literal["variable", "fixed", "scalar"] = "variable"
    minus_infinity: Literal["taken", "floored"] = "taken"
    nested: bool = False

    def __str__(self) -> str:
        return f"needs {self.needs}; batches {self.batch}; -inf {self.minus_infinity}"


@dataclass(frozen=True)
class Component:
    """A library that a sampler needs and that no Python package brings.

    Attributes
    ----------
    name : str
    found : str, optional
        Where it is.
    remedy : str
        How to get it.
    """

    name: str
    found: str | None
    remedy: str


class Sampler(ABC):
    """A sampling algorithm.

    The keyword arguments of the constructor are its options; annotate them. A sampler keeps no
    state between runs.
    """

    #: Name in results.
    name: str

    #: What it needs and can do. The default claims nothing.
    traits: Traits = Traits()

    #: What to cite, with its arXiv number.
    citation: str = ""

    #: Distributions whose versions move its samples: a run is resumed with the same ones only.
    packages: tuple[str, ...] = ()

    @classmethod
    def component(cls) -> Component | None:
        """Look for the library that this sampler needs, without loading it; None if it needs none."""
        return None

    def check(self, target: Target) -> None:
        """Refuse a target that these options cannot sample, before anything is written.

        Raises
        ------
        ConfigurationError
            Such as that of a target without gradients, if the traits say that they are needed.
        """
        if self.traits.needs == "gradient":
            with_gradient(target)

    @abstractmethod
    def run(self, target: Target, *, seed: int, folder: Path | None = None, report: Report = silent) -> Samples:
        """Sample a target.

        Parameters
        ----------
        target : Target
        seed : int
            The same target, options and seed give the same samples.
        folder : Path, optional
            Where the sampler may keep files of its own.
        report : callable
            Called now and then with a :class:`Progress`.

        Raises
        ------
        SamplingError
            If it cannot start, or cannot go on.
        """


class Layer(ABC):
    """A target around another one, which does something with every batch that passes.

    Parameters
    ----------
    target : Target
    """

    def __init__(self, target: Target) -> None:
        self.target = target

    @property
    def names(self) -> tuple[str, ...]:
        return self.target.names

    def prior_transform(self, u: Array) -> Array:
        return self.target.prior_transform(u)

    def prior_slope(self, u: Array) -> Array:
        return cast(GradientTarget, self.target).prior_slope(u)

    def log_prior(self, theta: Array) -> Array:
        return self.target.log_prior(theta)

    def log_likelihood(self, theta: Array) -> Array:
        return self.rows(theta, gradient=False)[:, 0]

    def value_and_grad(self, theta: Array) -> tuple[Array, Array]:
        found = self.rows(theta, gradient=True)
        return found[:, 0], found[:, 1:]

    def demand_gradient(self) -> None:
        """Refuse if the target within has no gradients."""
        with_gradient(self.target)

    @abstractmethod
    def rows(self, theta: Array, *, gradient: bool) -> Array:
        """What was asked, one row a point: the log-likelihood, and its gradient if that is wanted, ``(n, 1 + d)``."""


def rows(target: Target, theta: Array, *, gradient: bool) -> Array:
    """Ask a target, as :meth:`Layer.rows` answers."""
    if not gradient:
        return np.asarray(target.log_likelihood(theta))[:, None]
    value, slope = cast(GradientTarget, target).value_and_grad(theta)
    return np.concatenate([value[:, None], slope], axis=1)


class Counted(Layer):
    """A target that counts the points evaluated through it, and refuses what no log-likelihood is.

    A model never gives NaN or plus infinity, another target may; samplers hang on them, or go on with garbage.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.n = 0

    def rows(self, theta: Array, *, gradient: bool) -> Array:
        self.n += len(theta)
        found = rows(self.target, theta, gradient=gradient)
        values = found[:, 0]
        if not np.max(values, initial=-np.inf) < np.inf:  # NaN too
            wrong = int(np.flatnonzero(~(values < np.inf))[0])
            point = dict(zip(self.names, np.asarray(theta)[wrong].tolist(), strict=True))
            raise SamplingError(f"a log-likelihood of {values[wrong]} at {point}; it must be finite or minus infinity")
        return found


def seeds(seed: int, n: int) -> list[Any]:
    """Return ``n`` independent seed sequences derived from one number."""
    return list(np.random.SeedSequence(seed).spawn(n))
