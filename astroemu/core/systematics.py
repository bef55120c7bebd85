"""Limits on a power with an unknown positive systematic of a finite prior.

A datum is the sum of signal, noise and systematic, ``d = m + n + b`` with ``b >= 0``. The systematic is marginalised in
closed form. With ``x = d - m`` and the width ``w`` of its prior, the likelihoods are:

    flat           ln Phi(x / s)                                    see common_errors.UpperLimits
    half-normal    -x^2 / (2 t^2) + ln Phi(x w / (s t)) - ln(t / w),     t^2 = s^2 + w^2
    exponential    s^2 / (2 w^2) - x / w + ln Phi(x / s - s / w)

Both tend to the flat prior as w grows. They are normalised densities of d, apart from constants. Data far above the
model are improbable, so that the likelihood does not always fall with the model. Widths may be infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.common_errors import FILL_DATUM, FILL_WIDTH, Groups, Terms, log_ndtr_derivatives, rows_of

Array = Any
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
#: Below this argument of Phi, the exponential form is that of its limit of small widths.
_FAR = -1e3
#: Range of amplitudes in which a datum may change its regime, and the largest mode without such a change.
_REACH, _SMALL = 3.5, 0.5


class _FinitePrior(Terms):
    """Terms with the arrays data, error and width.

    Parameters
    ----------
    d, sigma, width : array
        Data, their errors and the widths of the prior, in the unit of the model.
    """

    def __init__(self, d: Array, sigma: Array, width: Array) -> None:
        self.d, self.sigma, self.width = d, sigma, width

    @classmethod
    def grouped(cls, groups: Groups, d: Array, sigma: Array, width: Array, xp: Namespace) -> _FinitePrior:
        """Return the terms of data ``(data,)`` with errors ``(data,)`` or ``(n, data)``, in groups."""
        filled = ((d, FILL_DATUM), (sigma, FILL_WIDTH), (width, math.inf))
        return cls(*(groups.of_terms(values, fill, xp) for values, fill in filled))

    def select(self, choose: Callable[[Array], Array]) -> _FinitePrior:
        return type(self)(*(rows_of(array, choose) for array in (self.d, self.sigma, self.width)))

    def is_simple(self, m: Array, mode: Array, xp: Namespace) -> Array:
        return xp.all(xp.abs(mode) <= _SMALL * self.sigma, axis=(-2, -1))


class HalfNormalSystematics(_FinitePrior):
    """A systematic with the prior ``2 N(b; 0, w)`` for ``b >= 0``."""

    def _scales(self, xp: Namespace) -> tuple[Array, Array]:
        """Return ``s / w`` and ``t / w``."""
        ratio = self.sigma / self.width
        return ratio, xp.sqrt(1.0 + ratio * ratio)

    def value(self, m: Array, xp: Namespace) -> Array:
        ratio, total = self._scales(xp)
        y = (self.d - m) / (self.sigma * total)  # x w / (s t)
        return -0.5 * (ratio * y) ** 2 + xp.log_ndtr(y) - xp.log(total)

    def derivatives(self, m: Array, xp: Namespace) -> tuple[Array, ...]:
        ratio, total = self._scales(xp)
        scale = -1.0 / (self.sigma * total)
        y = (m - self.d) * scale
        value, *found = log_ndtr_derivatives(y, xp)
        first, second, third, fourth = (f * scale**power for power, f in enumerate(found, 1))
        bend = (ratio * scale) ** 2
        value = value - 0.5 * (ratio * y) ** 2 - xp.log(total)
        return value, first - bend * (m - self.d), second - bend, third, fourth


class ExponentialSystematics(_FinitePrior):
    """A systematic with the prior ``exp(-b / w) / w`` for ``b >= 0``."""

    def value(self, m: Array, xp: Namespace) -> Array:
        x, ratio = (self.d - m) / self.sigma, self.sigma / self.width
        y = x - ratio
        near = xp.maximum(y, _FAR)
        # The two terms cancel for a width far below the error. The limit is a Gaussian.
        far = -0.5 * x * x - xp.log(-xp.minimum(y, _FAR)) - _LOG_ROOT - 1.0 / xp.minimum(y, _FAR) ** 2
        inside = xp.where(y > _FAR, ratio * (0.5 * ratio - x), 0.0) + xp.log_ndtr(near)
        return xp.where(y > _FAR, inside, far)

    def derivatives(self, m: Array, xp: Namespace) -> tuple[Array, ...]:
        scale = -1.0 / self.sigma
        y = (m - self.d) * scale - self.sigma / self.width
        _, *found = log_ndtr_derivatives(y, xp)
        first, second, third, fourth = (f * scale**power for power, f in enumerate(found, 1))
        return self.value(m, xp), first + 1.0 / self.width, second, third, fourth


def draw_systematics(prior: str, width: Array, rng: np.random.Generator) -> Array:
    """Return random systematics from the prior ``half_normal`` or ``exponential``, in the unit and shape of the widths.

    Parameters
    ----------
    prior : {"half_normal", "exponential"}
    width : array
        Finite widths.
    rng : Generator
    """
    if prior == "half_normal":
        return width * np.abs(rng.standard_normal(np.shape(width)))
    return width * rng.exponential(size=np.shape(width))
