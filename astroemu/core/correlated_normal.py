"""The normal prior of several parameters with a covariance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from astroemu.core.distribution_base import Distribution
from astroemu.core.distributions import Normal, TruncatedNormal
from astroemu.core.joint_prior import Box, JointPrior, demand_names, overlap
from astroemu.core.normal_intervals import log_normal_mass, normal_between
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing


@dataclass(frozen=True)
class CorrelatedNormal(JointPrior):
    """Normal distribution of several parameters with a covariance, optionally between bounds.

    Between bounds, each parameter in turn has a truncated normal distribution, given the parameters before it. This is
    the normal distribution over the probability that the bounds leave to each of these. Where the bounds cut little, it
    is the truncated normal distribution.

    Attributes
    ----------
    names : tuple of str
    mean : (k,) sequence of float
    covariance : (k, k) sequence of float
    low, high : (k,) sequence of float, optional
        Bounds; by default infinite.

    Raises
    ------
    ConfigurationError
        If an array has another size, or the covariance is not symmetric and positive definite.
    """

    names: tuple[str, ...]
    mean: Any
    covariance: Any
    low: Any = None
    high: Any = None
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        demand_names(self.names)
        mean = _sized(self.names, self.mean, "the mean")
        covariance = _sized(self.names, self.covariance, "the covariance", square=True)
        if not np.all(np.isfinite(mean)):
            raise ConfigurationError("the mean must be finite")
        _demand_covariance(covariance, self.names)
        for key, infinite in (("low", -math.inf), ("high", math.inf)):
            given = getattr(self, key)
            value = [infinite] * len(self.names) if given is None else _sized(self.names, given, f"`{key}`")
            object.__setattr__(self, key, _tuple(value))
        object.__setattr__(self, "mean", _tuple(mean))
        object.__setattr__(self, "covariance", tuple(map(_tuple, covariance)))
        for name in self.names:
            self.marginal(name)  # checks the bounds

    @classmethod
    def of_correlation(cls, names: Sequence[str], mean: Any, std: Any, correlation: Any) -> CorrelatedNormal:
        """Return the distribution with standard deviations ``(k,)`` and a correlation matrix ``(k, k)``."""
        sigma = _sized(names, std, "the std")
        matrix = _sized(names, correlation, "the correlation", square=True)
        if not np.allclose(np.diag(matrix), 1.0, atol=1e-9):
            raise ConfigurationError("the correlation must have ones on its diagonal; give a covariance otherwise")
        if not np.all((sigma > 0) & np.isfinite(sigma)):
            raise ConfigurationError("the std must be finite and above 0")
        return cls(tuple(names), mean, sigma[:, None] * matrix * sigma)

    @cached_property
    def _root(self) -> FloatArray:
        return np.asarray(np.linalg.cholesky(np.array(self.covariance)))

    @cached_property
    def _bounded(self) -> bool:
        return bool(np.any(np.isfinite([self.low, self.high])))

    def marginal(self, name: str) -> Distribution:
        j = self.names.index(name)
        std = math.sqrt(self.covariance[j][j])
        if math.isinf(self.low[j]) and math.isinf(self.high[j]):
            return Normal(self.mean[j], std)
        return TruncatedNormal(self.mean[j], std, self.low[j], self.high[j])

    def _edges(self, i: int, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the edges ``(n,)`` of the normal score of parameter i, given the scores ``(n, i)`` before it."""
        centre = self.mean[i] + scores[:, :i] @ self._root[i, :i]
        return (self.low[i] - centre) / self._root[i, i], (self.high[i] - centre) / self._root[i, i]

    def _scores(self, x: FloatArray) -> FloatArray:
        return np.linalg.solve(self._root, (x - np.array(self.mean)).T).T

    def transform(self, u: FloatArray, given: FloatArray) -> FloatArray:
        scores = np.zeros(u.shape)
        for i in range(u.shape[1]):
            low, high = self._edges(i, scores)
            scores[:, i] = np.clip(normal_between(u[:, i], low, high), low, high)
        return np.clip(np.array(self.mean) + scores @ self._root.T, self.low, self.high)

    def log_density(self, x: FloatArray, given: FloatArray) -> FloatArray:
        inside = np.all((x >= np.array(self.low)) & (x <= np.array(self.high)), axis=1)
        scores = self._scores(np.where(inside[:, None], x, np.array(self.mean)))
        norm = np.sum(np.log(np.diag(self._root))) + 0.5 * len(self.names) * math.log(2.0 * math.pi)
        total = -0.5 * np.sum(scores**2, axis=1) - norm
        for i in range(len(self.names) if self._bounded else 0):
            total = total - log_normal_mass(*self._edges(i, scores))
        return np.where(inside, total, -np.inf)

    def log_density_slope(self, x: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        scores = self._scores(x)
        slope = -scores
        for i in range(len(self.names) if self._bounded else 0):
            low, high = self._edges(i, scores)
            change = (_normal(low) - _normal(high)) / np.exp(log_normal_mass(low, high)) / self._root[i, i]
            slope[:, :i] -= change[:, None] * self._root[i, :i]
        return np.asarray(np.linalg.solve(self._root.T, slope.T).T, dtype=float), np.zeros_like(given)

    def pullback(
        self, u: FloatArray, x: FloatArray, given: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        scores, found = self._scores(x), np.zeros(u.shape)
        wanted = gradient @ self._root
        for i in reversed(range(u.shape[1])):
            low, high = self._edges(i, scores)
            share = np.exp(0.5 * scores[:, i] ** 2) * math.sqrt(2.0 * math.pi)  # one over the density of the score
            found[:, i] = wanted[:, i] * share * np.exp(log_normal_mass(low, high))
            moved = -((1.0 - u[:, i]) * _normal(low) + u[:, i] * _normal(high)) * share / self._root[i, i]
            wanted[:, :i] += (wanted[:, i] * moved)[:, None] * self._root[i, :i]
        return found, np.zeros_like(given)

    def truncated(self, box: Box) -> CorrelatedNormal:
        edges = [overlap(name, self.marginal(name).support, box) for name in self.names]
        return replace(self, low=tuple(a for a, _ in edges), high=tuple(b for _, b in edges))

    def table(self) -> dict[str, Any]:
        low, high = ([value if math.isfinite(value) else None for value in edge] for edge in (self.low, self.high))
        return {
            "distribution": self.kind,
            "parameters": list(self.names),
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
            "low": low,
            "high": high,
        }


def _normal(x: FloatArray) -> FloatArray:
    """Return the standard normal density; zero at infinity."""
    return np.exp(-0.5 * np.minimum(np.abs(x), 1e3) ** 2) / math.sqrt(2.0 * math.pi)


def _demand_covariance(matrix: FloatArray, names: Sequence[str]) -> None:
    variance = np.diag(matrix)
    if not np.all(np.isfinite(matrix)) or np.any(variance <= 0):
        raise ConfigurationError("the covariance must be finite, with variances above 0")
    sigma = np.sqrt(variance)
    correlation = matrix / (sigma[:, None] * sigma)
    uneven = np.argwhere(np.abs(correlation - correlation.T) > 1e-6)
    if len(uneven):
        i, j = uneven[0]
        raise ConfigurationError(f"the covariance of {names[i]!r} and {names[j]!r} is not symmetric; correct it")
    least = float(np.linalg.eigvalsh(correlation)[0])
    if least < 1e-12:
        raise ConfigurationError(
            f"the covariance is not positive definite: the lowest eigenvalue of its correlation is {least:.3g}. "
            "Correct it, or leave out a parameter that follows from the others"
        )


def _tuple(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _sized(names: Sequence[str], values: Any, what: str, square: bool = False) -> FloatArray:
    """Return numbers as an array with one entry, or row and column, for each parameter."""
    shape = (len(names), len(names)) if square else (len(names),)
    try:
        array = np.array(values, dtype=float)
    except (ValueError, TypeError):
        raise ConfigurationError(f"{what} must be numbers, in rows of one length") from None
    if array.shape != shape:
        raise ConfigurationError(
            f"{what} has the shape {array.shape}, but {listing(names)} need {shape}"
            + (": one row and one column for each" if square else ": one number for each")
        )
    return array
