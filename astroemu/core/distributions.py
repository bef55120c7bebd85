"""One-dimensional prior distributions.

Each distribution has two maps. Nested samplers need the unit-cube transform, which is the quantile function. Ensemble
samplers need the log density. Both take and return arrays of any shape and work on an entire batch at once. Values
have the unit of the parameter.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from astroemu.core.distribution_base import Distribution, check_range, check_width
from astroemu.core.normal_intervals import log_normal_mass, normal_between
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, closest, listing

__all__ = [
    "DISTRIBUTIONS", "Beta", "Distribution", "Fixed", "HalfNormal", "LogUniform", "Normal", "TruncatedBeta",
    "TruncatedNormal", "Uniform", "distribution_from",
]  # fmt: skip


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform distribution between ``low`` and ``high``."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        check_range(self.low, self.high)

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
        check_range(self.low, self.high)
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
#: Least probability of the interval of a truncated beta distribution, and the distance from an end at which a density
#: that may be infinite there is evaluated.
_LEAST_MASS = 1e-12


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
        check_width(self.std, abs(self.mean), f"mean = {self.mean} and std = {self.std}")
        a, b = self._edges
        if b - a < _NARROWEST or min(b, -a) < -_FARTHEST:
            raise ConfigurationError(
                f"[{self.low}, {self.high}] holds too little of a normal of mean = {self.mean} and std = {self.std} "
                "for floating-point numbers; use a uniform prior, or another std"
            )

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def _edges(self) -> tuple[float, float]:
        """Edges in units of std."""
        return (self.low - self.mean) / self.std, (self.high - self.mean) / self.std

    def transform(self, u: FloatArray) -> FloatArray:
        x = self.mean + self.std * normal_between(np.asarray(u, dtype=float), *self._edges)
        return np.minimum(np.maximum(x, self.low), self.high)  # rounding may exceed the bounds

    def log_density(self, x: FloatArray) -> FloatArray:
        t = (np.asarray(x) - self.mean) / self.std
        log_norm = math.log(self.std) + 0.5 * math.log(2 * math.pi) + float(log_normal_mass(*self._edges))
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
class HalfNormal(Distribution):
    """Normal distribution with its maximum at ``low`` and the standard deviation ``std``, above ``low`` only.

    ``std`` is that of the whole normal distribution.
    """

    std: float
    low: float = 0.0
    kind: ClassVar[str] = "half_normal"

    def __post_init__(self) -> None:
        self._normal()

    def _normal(self) -> TruncatedNormal:
        return TruncatedNormal(self.low, self.std, self.low)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, math.inf

    def transform(self, u: FloatArray) -> FloatArray:
        return self._normal().transform(u)

    def log_density(self, x: FloatArray) -> FloatArray:
        return self._normal().log_density(x)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return self._normal().log_density_slope(x)

    def truncated(self, low: float, high: float) -> TruncatedNormal:
        return TruncatedNormal(self.low, self.std, *self._overlap(low, high))


@dataclass(frozen=True)
class TruncatedBeta(Distribution):
    """Beta distribution between ``low`` and ``high``, restricted to ``[cut_low, cut_high]`` and renormalised.

    Its density is proportional to ``t^(alpha - 1) (1 - t)^(beta - 1)`` with ``t = (x - low) / (high - low)``.
    """

    alpha: float
    beta: float
    low: float = 0.0
    high: float = 1.0
    cut_low: float = -math.inf
    cut_high: float = math.inf
    kind: ClassVar[str] = "truncated_beta"

    def __post_init__(self) -> None:
        if not (0 < self.alpha < math.inf and 0 < self.beta < math.inf):
            raise ConfigurationError(f"alpha = {self.alpha} and beta = {self.beta} must be finite and above 0")
        check_range(self.low, self.high)
        check_range(*self.support)
        if not self._edges[1] - self._edges[0] > _LEAST_MASS:
            raise ConfigurationError(
                f"{list(self.support)} holds too little of this beta prior; use a uniform prior, or other numbers"
            )

    @property
    def support(self) -> tuple[float, float]:
        return max(self.low, self.cut_low), min(self.high, self.cut_high)

    @property
    def _edges(self) -> tuple[float, float]:
        """Probabilities below the edges of the support."""
        low, high = ((edge - self.low) / (self.high - self.low) for edge in self.support)
        return float(special.betainc(self.alpha, self.beta, low)), float(special.betainc(self.alpha, self.beta, high))

    def transform(self, u: FloatArray) -> FloatArray:
        first, last = self._edges
        t = special.betaincinv(self.alpha, self.beta, first + (last - first) * np.asarray(u, dtype=float))
        low, high = self.support
        return np.minimum(np.maximum(self.low + (self.high - self.low) * t, low), high)

    def _share(self, x: FloatArray) -> FloatArray:
        """Return ``t``, inside the ends, where the density may be infinite."""
        t = (np.asarray(x, dtype=float) - self.low) / (self.high - self.low)
        return np.minimum(np.maximum(t, _LEAST_MASS), 1.0 - _LEAST_MASS)

    def log_density(self, x: FloatArray) -> FloatArray:
        t = self._share(np.where(self._inside(x), x, self.support[0]))
        shape = (self.alpha - 1.0) * np.log(t) + (self.beta - 1.0) * np.log1p(-t)
        first, last = self._edges
        norm = special.betaln(self.alpha, self.beta) + math.log(self.high - self.low) + math.log(last - first)
        return np.where(self._inside(x), shape - norm, -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        t = self._share(x)
        return ((self.alpha - 1.0) / t - (self.beta - 1.0) / (1.0 - t)) / (self.high - self.low)

    def truncated(self, low: float, high: float) -> TruncatedBeta:
        return TruncatedBeta(self.alpha, self.beta, self.low, self.high, *self._overlap(low, high))


@dataclass(frozen=True)
class Beta(Distribution):
    """Beta distribution between ``low`` and ``high``; see :class:`TruncatedBeta`."""

    alpha: float
    beta: float
    low: float = 0.0
    high: float = 1.0
    kind: ClassVar[str] = "beta"

    def __post_init__(self) -> None:
        self._whole()

    def _whole(self) -> TruncatedBeta:
        return TruncatedBeta(self.alpha, self.beta, self.low, self.high)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def transform(self, u: FloatArray) -> FloatArray:
        return self._whole().transform(u)

    def log_density(self, x: FloatArray) -> FloatArray:
        return self._whole().log_density(x)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        return self._whole().log_density_slope(x)

    def truncated(self, low: float, high: float) -> TruncatedBeta:
        return self._whole().truncated(low, high)


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
    cls.kind: cls for cls in (Uniform, LogUniform, Normal, TruncatedNormal, HalfNormal, Beta, TruncatedBeta, Fixed)
}


#: Words of other packages for distributions and for their numbers.
_SYNONYMS = {
    "gaussian": "normal", "gauss": "normal", "flat": "uniform", "tophat": "uniform", "top_hat": "uniform",
    "jeffreys": "log_uniform", "reciprocal": "log_uniform", "truncnorm": "truncated_normal",
    "halfnorm": "half_normal", "halfnormal": "half_normal", "a": "alpha", "b": "beta", "constant": "fixed",
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
