"""One-dimensional prior distributions.

Each distribution has two maps. Nested samplers need the unit-cube transform, which is the quantile function. Ensemble
samplers need the log density. Both take and return arrays of any shape and work on an entire batch at once. Values
have the unit of the parameter.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing


@dataclass(frozen=True)
class Distribution(ABC):
    """A normalised one-dimensional prior.

    Attributes
    ----------
    kind : str
        Name of the distribution in configurations.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Lowest and highest value at which the density is not zero. Both may be infinite."""

    @abstractmethod
    def transform(self, u: FloatArray) -> FloatArray:
        """Return the quantiles of probabilities ``u`` in [0, 1]. The shape is that of ``u``."""

    @abstractmethod
    def log_density(self, x: FloatArray) -> FloatArray:
        """Return the natural logarithm of the density at ``x``: minus infinity outside the support and at NaN."""

    @abstractmethod
    def log_density_slope(self, x: FloatArray) -> FloatArray:
        """Return the derivative of the log density at ``x``, which must be inside the support."""

    @abstractmethod
    def truncated(self, low: float, high: float) -> Distribution:
        """Return this distribution restricted to ``[low, high]`` and renormalised.

        Raises
        ------
        ConfigurationError
            If the two ranges do not overlap.
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


#: Least width of a prior, as a fraction of its values and absolute: about 5000 numbers of double precision.
_LEAST_SHARE, _LEAST_WIDTH = 1e-12, 1e-300


def _check_range(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigurationError(f"low = {low} must be finite and below high = {high}")
    if not math.isfinite(high - low):
        raise ConfigurationError(f"low = {low} and high = {high} are too far apart for floating-point numbers")
    _check_width(high - low, max(abs(low), abs(high)), f"low = {low} and high = {high}")


def _check_width(width: float, size: float, what: str) -> None:
    if width < max(_LEAST_SHARE * size, _LEAST_WIDTH):
        raise ConfigurationError(
            f"{what} leave too few floating-point numbers to sample; use distribution = 'fixed', or a wider prior"
        )


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform distribution between ``low`` and ``high``."""

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
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding may exceed the bounds

    def log_density(self, x: FloatArray) -> FloatArray:
        return np.where(self._inside(x), -math.log(self.high - self.low), -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return np.zeros(np.shape(x))

    def truncated(self, low: float, high: float) -> Uniform:
        return Uniform(*self._overlap(low, high))


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Uniform distribution of the logarithm between ``low`` > 0 and ``high``."""

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
        return math.log(self.high) - math.log(self.low)  # log(high / low) could overflow

    def transform(self, u: FloatArray) -> FloatArray:
        x = np.exp(math.log(self.low) + np.asarray(u) * self._log_ratio)
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding may exceed the bounds

    def log_density(self, x: FloatArray) -> FloatArray:
        inside = self._inside(x)
        safe = np.where(inside, x, self.low)
        return np.where(inside, -np.log(safe) - math.log(self._log_ratio), -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return -1.0 / np.asarray(x)

    def truncated(self, low: float, high: float) -> LogUniform:
        return LogUniform(*self._overlap(low, high))


#: Limits of the interval of a truncated normal, in standard deviations: its smallest width, and its largest distance
#: from the mean. Beyond them, rounding errors dominate the quantiles.
_NARROWEST, _FARTHEST = 1e-8, 1e5


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """Normal distribution of given ``mean`` and ``std`` before it is restricted to ``[low, high]``."""

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
        _check_width(self.std, abs(self.mean), f"mean = {self.mean} and std = {self.std}")
        a, b, _ = self._edges
        if b - a < _NARROWEST or b < -_FARTHEST:
            raise ConfigurationError(
                f"[{self.low}, {self.high}] holds too little of a normal of mean = {self.mean} and std = {self.std} "
                "for floating-point numbers; use a uniform prior, or another std"
            )

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def _edges(self) -> tuple[float, float, float]:
        """Edges in units of std, and a sign. Intervals above the mean are mirrored, which keeps the precision there."""
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
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding may exceed the bounds

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
    """Normal distribution of given ``mean`` and standard deviation ``std``."""

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
    """A fixed value, which is not sampled. Its density counts as one at that value."""

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


#: Words of other packages for distributions and for their numbers.
_SYNONYMS = {
    "gaussian": "normal", "gauss": "normal", "flat": "uniform", "tophat": "uniform", "top_hat": "uniform",
    "jeffreys": "log_uniform", "reciprocal": "log_uniform", "truncnorm": "truncated_normal", "constant": "fixed",
    "delta": "fixed", "mu": "mean", "loc": "mean", "sigma": "std", "scale": "std", "width": "std", "min": "low",
    "max": "high", "lower": "low", "upper": "high",
}  # fmt: skip


def _meant(word: str, known: Collection[str]) -> str:
    synonym = _SYNONYMS.get(word.lower(), "")
    return f" Did you mean {synonym!r}?" if synonym in known else closest(word, known)


def distribution_from(spec: Mapping[str, Any]) -> Distribution:
    """Return a distribution from its form in a configuration.

    Parameters
    ----------
    spec : mapping
        ``distribution`` (the kind) and the numbers of that kind. Example:
        ``{"distribution": "uniform", "low": 0.0, "high": 1.0}``.

    Raises
    ------
    ConfigurationError
        For an unknown kind, an unknown or missing key, or a value that is not a number.
    """
    numbers = dict(spec)
    if "distribution" not in numbers:
        raise ConfigurationError(f"it has no 'distribution'; choose one of {listing(DISTRIBUTIONS)}")
    kind = numbers.pop("distribution")
    if not isinstance(kind, str) or kind not in DISTRIBUTIONS:
        hint = _meant(str(kind), DISTRIBUTIONS)
        raise ConfigurationError(f"distribution = {kind!r} is not one of {listing(DISTRIBUTIONS)}.{hint}")
    cls = DISTRIBUTIONS[kind]
    fields = dataclasses.fields(cls)
    names = [f.name for f in fields]
    for key, value in numbers.items():
        if key not in names:
            raise ConfigurationError(f"unknown key {key!r}: a {kind} prior takes {listing(names)}.{_meant(key, names)}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            how = ", without quotation marks and in the unit of the parameter" if isinstance(value, str) else ""
            raise ConfigurationError(f"{key} = {value!r} must be a number{how}")
        try:
            numbers[key] = float(value)
        except OverflowError:
            raise ConfigurationError(f"{key} is too large for a floating-point number") from None
    missing = [f.name for f in fields if f.default is dataclasses.MISSING and f.name not in numbers]
    if missing:
        raise ConfigurationError(f"a {kind} prior needs {listing(missing)}")
    return cls(**numbers)
