"""A smooth, increasing map between a parameter and its normal score, from weighted samples.

The normal score of a value is the quantile of the standard normal distribution at the probability below the value. The
map is a monotone cubic through quantiles of the samples (Fritsch & Butland 1984, SIAM J. Sci. Stat. Comput. 5, 300).
Beyond the outermost quantiles it is a straight line, so that the tails are those of a normal distribution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy import special
from scipy.interpolate import CubicHermiteSpline

from astroemu.core.distribution_base import Distribution
from astroemu.core.normal_intervals import log_normal_mass, normal_between
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError

#: Number of quantiles, and effective samples beyond the outermost of them.
_KNOTS, _BEYOND = 33, 20.0
#: Least probability beyond the outermost quantile.
_LEAST = 1e-4
_NEWTON = 30


@dataclass(frozen=True)
class ScoreMap(Distribution):
    """The map of one parameter, and the distribution whose normal scores it defines.

    Attributes
    ----------
    scores, values : (m,) tuple of float
        Normal scores and the values of the parameter there. Both increase.
    low, high : float
        Bounds of the distribution. They do not change the map.
    """

    scores: tuple[float, ...]
    values: tuple[float, ...]
    low: float = -math.inf
    high: float = math.inf
    kind: ClassVar[str] = "posterior"

    @classmethod
    def of(cls, x: FloatArray, weight: FloatArray, effective: float) -> ScoreMap:
        """Return the map of samples ``(n,)`` with weights ``(n,)``.

        Parameters
        ----------
        x, weight : (n,) array
        effective : float
            Effective number of samples, which decides how far out the quantiles reach.

        Raises
        ------
        ConfigurationError
            If the samples hardly differ.
        """
        reach = -float(special.ndtri(max(_BEYOND / effective, _LEAST)))
        scores = np.linspace(-reach, reach, _KNOTS)
        order = np.argsort(x, kind="stable")
        below = np.cumsum(weight[order]) - 0.5 * weight[order]
        values = np.interp(special.ndtr(scores), below / weight.sum(), x[order])
        if np.any(np.diff(values) <= 1e-12 * np.max(np.abs(values))):
            raise ConfigurationError("its samples hardly differ, so that they give no smooth prior")
        return cls(tuple(scores.tolist()), tuple(values.tolist()))

    @cached_property
    def _spline(self) -> tuple[Any, Any, Any]:
        z, x = np.array(self.scores), np.array(self.values)
        secant = np.diff(x) / np.diff(z)
        inner = 2.0 * secant[:-1] * secant[1:] / (secant[:-1] + secant[1:])
        spline = CubicHermiteSpline(z, x, np.concatenate([secant[:1], inner, secant[-1:]]))
        return spline, spline.derivative(), spline.derivative(2)

    def value(self, score: FloatArray) -> FloatArray:
        """Return the parameter at normal scores."""
        near = np.clip(score, self.scores[0], self.scores[-1])
        return np.asarray(self._spline[0](near) + self._spline[1](near) * (score - near))

    def slope(self, score: FloatArray) -> FloatArray:
        """Return the derivative of the parameter with respect to its normal score."""
        return np.asarray(self._spline[1](np.clip(score, self.scores[0], self.scores[-1])))

    def bend(self, score: FloatArray) -> FloatArray:
        """Return the second derivative of the parameter with respect to its normal score."""
        inside = (score > self.scores[0]) & (score < self.scores[-1])
        return np.where(inside, self._spline[2](np.clip(score, self.scores[0], self.scores[-1])), 0.0)

    def score(self, x: Any) -> FloatArray:
        """Return the normal scores of values, by Newton's method within the interval of each value."""
        x = np.asarray(x, dtype=float)
        z, knots = np.array(self.scores), np.array(self.values)
        row = np.clip(np.searchsorted(knots, x) - 1, 0, len(z) - 2)
        inside = (x >= knots[0]) & (x <= knots[-1])
        low, high = z[row], z[row + 1]
        found = low + (high - low) * np.clip((x - knots[row]) / (knots[row + 1] - knots[row]), 0.0, 1.0)
        for _ in range(_NEWTON):
            step = np.where(inside, (self._spline[0](found) - x) / self.slope(found), 0.0)
            found = np.clip(found - step, low, high)
            if np.all(np.abs(step) < 1e-14 * (1.0 + np.abs(found))):
                break
        end = np.where(x < knots[0], 0, -1)
        straight = z[end] + (x - knots[end]) / self.slope(z[end])
        return np.where(inside, found, straight)

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    @cached_property
    def edges(self) -> tuple[float, float]:
        """Normal scores of the bounds."""
        low, high = (float(self.score(edge)) if math.isfinite(edge) else edge for edge in (self.low, self.high))
        return low, high

    def transform(self, u: FloatArray) -> FloatArray:
        x = self.value(normal_between(np.asarray(u, dtype=float), *self.edges))
        return np.clip(x, self.low, self.high)

    def log_density(self, x: FloatArray) -> FloatArray:
        inside = self._inside(x)
        score = self.score(np.where(inside, x, self.values[0]))
        norm = 0.5 * math.log(2.0 * math.pi) + float(log_normal_mass(*self.edges))
        return np.where(inside, -0.5 * score**2 - np.log(self.slope(score)) - norm, -np.inf)

    def log_density_slope(self, x: FloatArray) -> FloatArray:
        score = self.score(x)
        slope = self.slope(score)
        return -(score + self.bend(score) / slope) / slope

    def truncated(self, low: float, high: float) -> ScoreMap:
        return ScoreMap(self.scores, self.values, *self._overlap(low, high))
