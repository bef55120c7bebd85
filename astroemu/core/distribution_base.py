"""The base class of one-dimensional priors, and the checks of their numbers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError


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


def check_range(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigurationError(f"low = {low} must be finite and below high = {high}")
    if not math.isfinite(high - low):
        raise ConfigurationError(f"low = {low} and high = {high} are too far apart for floating-point numbers")
    check_width(high - low, max(abs(low), abs(high)), f"low = {low} and high = {high}")


def check_width(width: float, size: float, what: str) -> None:
    if width < max(_LEAST_SHARE * size, _LEAST_WIDTH):
        raise ConfigurationError(
            f"{what} leave too few floating-point numbers to sample; use distribution = 'fixed', or a wider prior"
        )
