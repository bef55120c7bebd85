"""Priors of several parameters together: a part of a :class:`~astroemu.core.prior.Prior` that is no product.

Each parameter of such a part follows from its own number ``u`` in the unit cube, and from the parameters before it. The
transform is therefore exact, smooth and quick (Rosenblatt 1952, Ann. Math. Stat. 23, 470).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from astroemu.core.distribution_base import Distribution
from astroemu.core.distributions import Uniform
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing

#: A box: lower and upper edge by the name of a parameter.
Box = Mapping[str, tuple[float, float]]


class JointPrior(ABC):
    """The prior of k parameters, which may depend on g others.

    In the methods below, n is the number of points. ``x`` has the shape ``(n, k)``, and ``given`` has ``(n, g)``. A
    gradient is that of some function with respect to ``x``.
    """

    kind: ClassVar[str]

    #: Names of its parameters, in the order of the columns.
    names: tuple[str, ...]

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the other parameters that it depends on."""
        return ()

    @abstractmethod
    def marginal(self, name: str) -> Distribution:
        """Return a prior of one parameter alone, with its support. It is used for labels, ranges and medians."""

    @abstractmethod
    def transform(self, u: FloatArray, given: FloatArray) -> FloatArray:
        """Return the parameters ``(n, k)`` of points ``(n, k)`` of the unit cube."""

    @abstractmethod
    def log_density(self, x: FloatArray, given: FloatArray) -> FloatArray:
        """Return the natural logarithm ``(n,)`` of the density: minus infinity where it is zero, and at NaN."""

    @abstractmethod
    def log_density_slope(self, x: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives ``(n, k)`` and ``(n, g)`` of the log density, inside its support."""

    @abstractmethod
    def pullback(
        self, u: FloatArray, x: FloatArray, given: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return a gradient ``(n, k)`` with respect to ``u``, and what is added ``(n, g)`` to that of ``given``."""

    @abstractmethod
    def truncated(self, box: Box) -> JointPrior:
        """Return this prior restricted to a box and renormalised.

        Raises
        ------
        ConfigurationError
            If nothing is left, or the result would not be known.
        """

    @abstractmethod
    def table(self) -> dict[str, Any]:
        """Return what determines the prior, as plain values."""


def demand_names(names: Sequence[str]) -> None:
    """Raise an error unless there are names, each once."""
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(f"a joint prior needs parameters, each once; it has {list(names)}")


def overlap(name: str, support: tuple[float, float], box: Box) -> tuple[float, float]:
    """Return the part of a support that lies in a box.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    low, high = box.get(name, (-math.inf, math.inf))
    both = max(support[0], low), min(support[1], high)
    if not both[0] < both[1]:
        raise ConfigurationError(f"the prior of {name!r} on {list(support)} has nothing in common with [{low}, {high}]")
    return both


@dataclass(frozen=True)
class OrderedUniform(JointPrior):
    """Flat density where the parameters increase in their order, ``low < a < b < ... < high``, and zero elsewhere."""

    names: tuple[str, ...]
    low: float
    high: float
    kind: ClassVar[str] = "ordered"

    def __post_init__(self) -> None:
        demand_names(self.names)
        Uniform(self.low, self.high)

    def marginal(self, name: str) -> Distribution:
        return Uniform(self.low, self.high)

    def transform(self, u: FloatArray, given: FloatArray) -> FloatArray:
        share = np.multiply.accumulate(self._factors(u)[:, ::-1], axis=1)[:, ::-1]
        return np.clip(self.low + (self.high - self.low) * share, self.low, self.high)

    def _factors(self, u: FloatArray) -> FloatArray:
        """Return the ratios ``(n, k)`` of each parameter to the next larger one, both counted from ``low``."""
        return np.asarray(u ** (1.0 / np.arange(1, u.shape[1] + 1)))

    def log_density(self, x: FloatArray, given: FloatArray) -> FloatArray:
        inside = np.all(np.diff(x, axis=1) >= 0, axis=1) & (x[:, 0] >= self.low) & (x[:, -1] <= self.high)
        k = len(self.names)
        return np.where(inside, math.lgamma(k + 1) - k * math.log(self.high - self.low), -np.inf)

    def log_density_slope(self, x: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.zeros_like(x), np.zeros_like(given)

    def pullback(
        self, u: FloatArray, x: FloatArray, given: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        # d x_j / d u_i = (x_j - low) / (i u_i) for j <= i, with i counted from one.
        weighted = np.cumsum(gradient * (x - self.low), axis=1)
        order = np.arange(1, u.shape[1] + 1)
        return weighted / (order * np.maximum(u, 1e-300)), np.zeros_like(given)

    def truncated(self, box: Box) -> OrderedUniform:
        edges = {overlap(name, (self.low, self.high), box) for name in self.names}
        if len(edges) > 1:
            raise ConfigurationError(
                f"the ordered prior of {listing(self.names)} cannot be cut to another range for each parameter; narrow "
                "its low and high"
            )
        return OrderedUniform(self.names, *edges.pop())

    def table(self) -> dict[str, Any]:
        return {"distribution": self.kind, "parameters": list(self.names), "low": self.low, "high": self.high}
