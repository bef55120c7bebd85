"""One-dimensional prior distributions.

A distribution is known by two maps: the unit-cube transform (its quantile function), which a
nested sampler needs, and the log density, which an ensemble sampler needs. Both take and return
arrays of any shape and work on the whole batch at once.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing


@dataclass(frozen=True)
class Distribution(ABC):
    """A normalised one-dimensional prior."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Lowest and highest value of non-zero density (may be infinite)."""

    @abstractmethod
    def transform(self, u: FloatArray) -> FloatArray:
        """Map uniform deviates in [0, 1] to values: the quantile function."""

    @abstractmethod
    def log_density(self, x: FloatArray) -> FloatArray:
        """Natural logarithm of the density; minus infinity outside the support."""

    @abstractmethod
    def log_density_slope(self, x: FloatArray) -> FloatArray:
        """Derivative of the log density, inside the support."""

    @abstractmethod
    def truncated(self, low: float, high: float) -> Distribution:
        """Return this distribution restricted to ``[low, high]`` and renormalised.

        Raises
        ------
        ConfigurationError
            If nothing is left.
        """

    def _inside(self, x: FloatArray) -> NDArray[np.bool_]:
        low, high = self.support
        return (x >= low) & (x <= high)

    def _overlap(self, low: float, high: float) -> tuple[float, float]:
        ours = self.support
        both = (max(ours[0], low), min(ours[1], high))
        if not both[0] < both[1]:
            raise ConfigurationError(f"prior {ours} has nothing in common with [{low}, {high}]")
        return both


def _check_range(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigurationError(f"low = {low} must be finite and below high = {high}")


@dataclass(frozen=True)
class Uniform(Distribution):
    """Flat between ``low`` and ``high``."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def transform(self, u: FloatArray) -> FloatArray:
        x = self.low + (self.high - self.low) * np.asarray(u)
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding only

    def log_density(self, x: FloatArray) -> FloatArray:
        return np.where(self._inside(x), -math.log(self.high - self.low), -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return np.zeros(np.shape(x))

    def truncated(self, low: float, high: float) -> Uniform:
        return Uniform(*self._overlap(low, high))


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Flat in the logarithm between ``low`` > 0 and ``high``."""

    low: float
    high: float
    kind: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        _check_range(self.low, self.high)
        if self.low <= 0:
            raise ConfigurationError(f"low = {self.low} of a log_uniform prior must be above 0")

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def _log_ratio(self) -> float:
        return math.log(self.high) - math.log(self.low)  # the ratio itself may overflow

    def transform(self, u: FloatArray) -> FloatArray:
        x = np.exp(math.log(self.low) + np.asarray(u) * self._log_ratio)
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding only

    def log_density(self, x: FloatArray) -> FloatArray:
        inside = self._inside(x)
        safe = np.where(inside, x, self.low)
        return np.where(inside, -np.log(safe) - math.log(self._log_ratio), -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return -1.0 / np.asarray(x)

    def truncated(self, low: float, high: float) -> LogUniform:
        return LogUniform(*self._overlap(low, high))


#: Width of the narrowest interval of a normal, and distance of the farthest, in standard deviations: beyond them its
#: quantiles are lost to rounding.
_NARROWEST, _FARTHEST = 1e-8, 1e5


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """Normal of location ``mean`` and width ``std``, restricted to ``[low, high]``."""

    mean: float
    std: float
    low: float = -math.inf
    high: float = math.inf
    kind: ClassVar[str] = "truncated_normal"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ConfigurationError(f"mean = {self.mean} must be finite and std = {self.std} above 0")
        if not self.low < self.high:
            raise ConfigurationError(f"low = {self.low} must be below high = {self.high}")
        a, b, _ = self._edges
        if b - a < _NARROWEST or b < -_FARTHEST:
            raise ConfigurationError(
                f"[{self.low}, {self.high}] holds too little of a normal of mean = {self.mean} and std = {self.std} "
                "to be resolved; use a uniform prior, or one of another width"
            )

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def _edges(self) -> tuple[float, float, float]:
        """Edges in units of std, mirrored so that the upper tail never loses precision."""
        a, b = (self.low - self.mean) / self.std, (self.high - self.mean) / self.std
        return (-b, -a, -1.0) if a > 0 else (a, b, 1.0)

    @property
    def _log_mass(self) -> float:
        a, b, _ = self._edges
        log_a, log_b = special.log_ndtr(a), special.log_ndtr(b)
        return float(log_b + np.log1p(-np.exp(log_a - log_b)))

    def transform(self, u: FloatArray) -> FloatArray:
        a, b, sign = self._edges
        u = np.asarray(u, dtype=float)
        u = u if sign > 0 else 1.0 - u
        with np.errstate(divide="ignore"):
            log_p = np.logaddexp(np.log1p(-u) + special.log_ndtr(a), np.log(u) + special.log_ndtr(b))
        x = self.mean + sign * self.std * special.ndtri_exp(log_p)
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding only

    def log_density(self, x: FloatArray) -> FloatArray:
        t = (np.asarray(x) - self.mean) / self.std
        log_norm = math.log(self.std) + 0.5 * math.log(2 * math.pi) + self._log_mass
        return np.where(self._inside(x), -0.5 * t * t - log_norm, -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return (self.mean - np.asarray(x)) / self.std**2

    def truncated(self, low: float, high: float) -> TruncatedNormal:
        return TruncatedNormal(self.mean, self.std, *self._overlap(low, high))


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal of location ``mean`` and width ``std``."""

    mean: float
    std: float
    kind: ClassVar[str] = "normal"

    def __post_init__(self) -> None:
        self._unbounded()

    def _unbounded(self) -> TruncatedNormal:
        return TruncatedNormal(self.mean, self.std)

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    def transform(self, u: FloatArray) -> FloatArray:
        return self._unbounded().transform(u)

    def log_density(self, x: FloatArray) -> FloatArray:
        return self._unbounded().log_density(x)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return self._unbounded().log_density_slope(x)

    def truncated(self, low: float, high: float) -> TruncatedNormal:
        return TruncatedNormal(self.mean, self.std, low, high)


@dataclass(frozen=True)
class Fixed(Distribution):
    """One value, not sampled: its density is taken as one there."""

    value: float
    kind: ClassVar[str] = "fixed"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ConfigurationError(f"value = {self.value} must be finite")

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    def transform(self, u: FloatArray) -> FloatArray:
        return np.full(np.shape(u), self.value)

    def log_density(self, x: FloatArray) -> FloatArray:
        return np.where(np.asarray(x) == self.value, 0.0, -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return np.zeros(np.shape(x))

    def truncated(self, low: float, high: float) -> Fixed:
        if not low <= self.value <= high:
            raise ConfigurationError(f"fixed value {self.value} is outside [{low}, {high}]")
        return self


DISTRIBUTIONS: Mapping[str, type[Distribution]] = {
    cls.kind: cls for cls in (Uniform, LogUniform, Normal, TruncatedNormal, Fixed)
}


def distribution_from(spec: Mapping[str, Any]) -> Distribution:
    """Build a distribution from its written form.

    Parameters
    ----------
    spec : mapping
        ``distribution`` (its kind) and the numbers that this kind takes, as in
        ``{"distribution": "uniform", "low": 0.0, "high": 1.0}``.

    Raises
    ------
    ConfigurationError
        For an unknown kind, an unknown or missing key, or a value that is no number.
    """
    numbers = dict(spec)
    kind = numbers.pop("distribution", None)
    if not isinstance(kind, str) or kind not in DISTRIBUTIONS:
        hint = closest(str(kind), DISTRIBUTIONS)
        raise ConfigurationError(f"distribution = {kind!r} is not one of {listing(DISTRIBUTIONS)}.{hint}")
    cls = DISTRIBUTIONS[kind]
    fields = dataclasses.fields(cls)
    names = [f.name for f in fields]
    for key, value in numbers.items():
        if key not in names:
            raise ConfigurationError(
                f"unknown key {key!r}: a {kind} prior takes {listing(names)}.{closest(key, names)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError(f"{key} = {value!r} must be a number")
        try:
            numbers[key] = float(value)
        except OverflowError:
            raise ConfigurationError(f"{key} is too large for a floating-point number") from None
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in numbers]
    if missing:
        raise ConfigurationError(f"a {kind} prior needs {listing(missing)}")
    return cls(**numbers)
