"""The prior of a parameter whose bound is another parameter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from astroemu.core.distribution_base import Distribution
from astroemu.core.distributions import LogUniform, TruncatedNormal, Uniform
from astroemu.core.joint_prior import Box, JointPrior, overlap
from astroemu.core.normal_intervals import log_normal_mass, normal_between
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, listing

#: Distributions whose bounds may be parameters.
BOUNDED = (Uniform, LogUniform, TruncatedNormal)


@dataclass(frozen=True)
class BoundedByOthers(JointPrior):
    """One parameter whose lower or upper bound is another parameter, such as ``b`` uniform on ``[a, 5]``.

    The distribution is renormalised at each value of the bounds. So ``b`` has the density ``1 / (5 - a)`` at a given
    ``a``, and the prior of ``a`` is that of ``a`` alone.

    Attributes
    ----------
    name : str
    base : Uniform, LogUniform or TruncatedNormal
        The distribution between the widest bounds.
    low, high : str or None
        The parameter that is a bound; None if the bound is that of ``base``.
    """

    name: str
    base: Any
    low: str | None = None
    high: str | None = None
    kind: ClassVar[str] = "bounded"

    def __post_init__(self) -> None:
        if not isinstance(self.base, BOUNDED):
            known = listing(each.kind for each in BOUNDED)
            raise ConfigurationError(f"a bound that is a parameter is possible for {known}, not for {self.base.kind!r}")
        if self.name in self.given:
            raise ConfigurationError(f"{self.name!r} cannot be its own bound")

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.name,)

    @property
    def given(self) -> tuple[str, ...]:
        return tuple(bound for bound in (self.low, self.high) if bound is not None)

    def marginal(self, name: str) -> Distribution:
        base: Distribution = self.base
        return base

    def _bounds(self, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        low, high = (np.full(len(given), edge) for edge in self.base.support)
        if self.low is not None:
            low = np.maximum(low, given[:, 0])
        if self.high is not None:
            high = np.minimum(high, given[:, -1])
        return low, high

    def _scaled(self, x: Any) -> FloatArray:
        """Return values in which the distribution is uniform, or standard normal."""
        if isinstance(self.base, TruncatedNormal):
            return np.asarray((x - self.base.mean) / self.base.std)
        return np.log(x) if isinstance(self.base, LogUniform) else np.asarray(x)

    def _log_mass(self, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return the log of the share of the base between the bounds."""
        first, last = self._scaled(low), self._scaled(high)
        widest = [self._scaled(edge) for edge in self.base.support]
        if isinstance(self.base, TruncatedNormal):
            return log_normal_mass(first, last) - log_normal_mass(*widest)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.log(last - first) - np.log(widest[1] - widest[0])

    def transform(self, u: FloatArray, given: FloatArray) -> FloatArray:
        low, high = self._bounds(given)
        first, last = self._scaled(low), self._scaled(high)
        if isinstance(self.base, TruncatedNormal):
            x = self.base.mean + self.base.std * normal_between(u[:, 0], first, last)
        else:
            x = first + (last - first) * u[:, 0]
            x = np.exp(x) if isinstance(self.base, LogUniform) else x
        return np.asarray(np.clip(x, low, high)[:, None])

    def log_density(self, x: FloatArray, given: FloatArray) -> FloatArray:
        low, high = self._bounds(given)
        inside = (x[:, 0] >= low) & (x[:, 0] <= high) & (low < high)
        with np.errstate(invalid="ignore"):
            mass = np.where(inside, self._log_mass(np.where(inside, low, self.base.support[0]), high), 0.0)
        return np.where(inside, self.base.log_density(x[:, 0]) - mass, -np.inf)

    def _moving(self, given: FloatArray) -> list[tuple[int, FloatArray, bool]]:
        """Return for each named bound its column of ``given``, its values ``(n,)``, and whether it is the upper one."""
        low, high = self._bounds(given)
        named = [(bound, is_high) for bound, name, is_high in ((low, self.low, False), (high, self.high, True)) if name]
        return [(column, bound, is_high) for column, (bound, is_high) in enumerate(named)]

    def log_density_slope(self, x: FloatArray, given: FloatArray) -> tuple[FloatArray, FloatArray]:
        mass = self._log_mass(*self._bounds(given))
        slope = np.zeros_like(given)
        for column, bound, is_high in self._moving(given):
            share = np.exp(self.base.log_density(bound) - mass) * (bound == given[:, column])
            slope[:, column] = -share if is_high else share
        return self.base.log_density_slope(x), slope

    def pullback(
        self, u: FloatArray, x: FloatArray, given: FloatArray, gradient: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        density = self.base.log_density(x[:, 0])
        found = gradient * np.exp(self._log_mass(*self._bounds(given)) - density)[:, None]
        added = np.zeros_like(given)
        for column, bound, is_high in self._moving(given):
            share = (u[:, 0] if is_high else 1.0 - u[:, 0]) * np.exp(self.base.log_density(bound) - density)
            added[:, column] = gradient[:, 0] * share * (bound == given[:, column])
        return found, added

    def truncated(self, box: Box) -> BoundedByOthers:
        return replace(self, base=self.base.truncated(*overlap(self.name, self.base.support, box)))

    def table(self) -> dict[str, Any]:
        base = {key: value for key, value in vars(self.base).items() if math.isfinite(value)}
        bounds = {key: name for key, name in (("low", self.low), ("high", self.high)) if name is not None}
        return {"parameters": [self.name], "distribution": self.base.kind, **base, "bounds": bounds}
