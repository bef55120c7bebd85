"""Likelihoods with common errors: one unknown amplitude moves many data of a probe together.

An error that all data share does not average away. It is a *mode* ``u_i``: the model of datum i is ``m_i + a u_i``, and
the amplitude ``a`` has the prior N(0, 1). A Gaussian likelihood is marginalised over the amplitudes exactly, see
:func:`gaussian_with_modes`. For other forms the integral

    ln L = ln int da N(a) prod_i L_i(m_i + a u_i)

is computed numerically. Its integrand is log-concave if every ``L_i`` is. Most points need one evaluation: an expansion
to fourth order about a = 0, with the corrections of Tierney & Kadane (1986, JASA 81, 82) to Laplace's method. Other
points are expanded about the maximum. The rest is integrated by Gauss-Legendre quadrature on panels around the maximum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from astroemu.core.amplitude_integral import Terms, marginal
from astroemu.core.array_namespace import Namespace

__all__ = [
    "FILL_DATUM",
    "FILL_WIDTH",
    "Groups",
    "SplitGaussians",
    "Terms",
    "UpperLimits",
    "gaussian_with_modes",
    "log_ndtr_derivatives",
    "marginal",
    "principal_mode",
    "rows_of",
]

Array = Any
#: Range of amplitudes in which a datum may change its regime, in standard deviations.
_REACH = 3.5
#: Largest mode of terms with kinks for the Gauss-Hermite rule, in units of their widths.
_HERMITE_MODE = 0.4
#: Squarings of the matrix of the modes, and ratio of the elements of the vector that is projected.
_SQUARINGS, _START = 4, 0.83
_ROOT = 1.0 / math.sqrt(2.0 * math.pi)
_TINY = 1e-300
#: Number of modes that are rotated in closed form, and what keeps the slope of a root finite.
_PAIR, _NOT_ZERO = 2, 1e-30
#: Datum and width of a term that fills up a group, without a penalty.
FILL_DATUM, FILL_WIDTH = 1e33, 1e30
#: Below this argument, the derivatives of ln Phi follow from those at this argument, see :func:`log_ndtr_derivatives`.
_FAR = -50.0
_LOG_FAR = float(special.log_ndtr(_FAR))
_EXPONENT_FAR = float(-0.5 * _FAR**2 - special.log_ndtr(_FAR))
#: Modes that make a power negative for probable amplitudes may add up to this, in units of the errors.
_NEGATIVE = 0.01
#: Sum of the squares of a mode, in units of the errors, up to which a limit is nearly linear in the amplitude.
_SMALL = 0.03
#: Number of axes of arrays that depend on the point.
_RANK = 4


def log_ndtr_derivatives(x: Array, xp: Namespace) -> tuple[Array, Array, Array, Array, Array]:
    """Return ``ln Phi(x)`` and its first four derivatives.

    The closed forms cancel far below zero. There the leading terms for ``x -> -inf`` are used, with the factors of
    -50. Their error is at most 1e-3 / |x| in the first derivative.
    """
    value = xp.log_ndtr(x)
    h = _over_ndtr(x, value, xp)
    q = xp.maximum(x, _FAR) + h
    hq = h * q
    slope = 1.0 - hq  # of q
    total = q + h
    third = hq * total - h
    fourth = (h * slope - hq * q) * total + hq * (slope - hq) + hq
    ratio = _FAR / xp.minimum(x, _FAR)
    square = ratio * ratio
    return value, q * ratio - x, slope * square - 1.0, third * square * ratio, fourth * square**2


def _over_ndtr(x: Array, value: Array, xp: Namespace) -> Array:
    """Return ``h = phi / Phi`` at x, or at -50 below it. Its derivative is ``-h (x + h)``."""
    return xp.exp(xp.where(x > _FAR, -0.5 * x * x - value, _EXPONENT_FAR)) * _ROOT


class UpperLimits(Terms):
    """Limits on a power with an unknown positive systematic: ``ln Phi((d - max(m, 0)) / s)``.

    See :func:`astroemu.core.likelihoods.marginal_upper_limit`. A power is never negative. Otherwise an amplitude below
    -5 turns a huge model with an error of 20 % into a negative one, which no limit excludes.

    Parameters
    ----------
    d, sigma : array
        Data and errors, in the unit of the model.
    """

    def __init__(self, d: Array, sigma: Array) -> None:
        self.d, self.sigma = d, sigma

    @classmethod
    def grouped(cls, groups: Groups, d: Array, sigma: Array, xp: Namespace) -> UpperLimits:
        """Return the terms of data ``(data,)`` with errors ``(data,)`` or ``(n, data)``, in groups."""
        return cls(groups.of_terms(d, FILL_DATUM, xp), groups.of_terms(sigma, FILL_WIDTH, xp))

    def value(self, m: Array, xp: Namespace) -> Array:
        return xp.log_ndtr((self.d - xp.maximum(m, 0.0)) / self.sigma)

    def integrand(self, m: Array, xp: Namespace) -> Array:
        return xp.rough_log_ndtr((self.d - xp.maximum(m, 0.0)) / self.sigma)

    def derivatives(self, m: Array, xp: Namespace) -> tuple[Array, ...]:
        scale = xp.where(m >= 0, -1.0 / self.sigma, 0.0)
        square = scale * scale
        value, first, second, third, fourth = log_ndtr_derivatives((self.d - xp.maximum(m, 0.0)) / self.sigma, xp)
        return value, first * scale, second * square, third * (square * scale), fourth * (square * square)

    def slopes(self, m: Array, xp: Namespace) -> tuple[Array, Array, Array]:
        x = (self.d - xp.maximum(m, 0.0)) / self.sigma
        value = xp.rough_log_ndtr(x)
        ratio = _FAR / xp.minimum(x, _FAR)
        h = _over_ndtr(x, value, xp)
        q = xp.maximum(x, _FAR) + h
        scale = xp.where(m >= 0, -1.0 / self.sigma, 0.0)
        return value, (q * ratio - x) * scale, ((1.0 - h * q) * ratio * ratio - 1.0) * scale * scale

    def nearly_linear(self, m: Array, mode: Array, xp: Namespace) -> tuple[Array, Array, Array, Array]:
        """Return the value, two derivatives, and where the modes are small in units of the errors.

        The third and fourth derivatives of ``ln Phi(x)`` are at most 0.3 and 0.4.
        """
        change = mode / self.sigma
        x = (self.d - xp.maximum(m, 0.0)) / self.sigma
        value = xp.log_ndtr(x)
        inside = xp.maximum(x, _FAR)
        h = xp.exp(-0.5 * inside * inside - xp.maximum(value, _LOG_FAR)) * _ROOT
        slope = -1.0 / self.sigma
        negative = xp.sum(xp.where(m < _REACH * xp.abs(mode), xp.abs(change), 0.0), axis=(-2, -1)) > _NEGATIVE
        small = xp.sum(change * change, axis=(-2, -1)) <= _SMALL
        good = small & ~negative & xp.all(x > _FAR, axis=(-2, -1))
        return value, h * slope, -h * (inside + h) * slope * slope, good

    def is_simple(self, m: Array, mode: Array, xp: Namespace) -> Array:
        change = xp.abs(mode) / self.sigma
        negative = xp.sum(xp.where(m < _REACH * xp.abs(mode), change, 0.0), axis=(-2, -1)) > _NEGATIVE
        regime = (change <= 0.5) | ((self.d - m) / self.sigma >= 3.0 + _REACH * change)
        return xp.all(regime, axis=(-2, -1)) & ~negative

    def kink(self, m: Array, mode: Array, xp: Namespace) -> Array:
        """Return the amplitude at which the power vanishes, by least squares."""
        return _least_squares(-m, mode, self.sigma, xp)

    def select(self, choose: Callable[[Array], Array]) -> UpperLimits:
        return UpperLimits(rows_of(self.d, choose), rows_of(self.sigma, choose))


class SplitGaussians(Terms):
    """Two half-Gaussians, with the width ``high`` for m > d and ``low`` for m < d.

    Parameters
    ----------
    d, low, high : array
        In the unit of the model. A width of infinity means no penalty on this side.
    """

    kinked = True

    def __init__(self, d: Array, low: Array, high: Array) -> None:
        self.d, self.low, self.high = d, low, high

    def value(self, m: Array, xp: Namespace) -> Array:
        return -0.5 * ((m - self.d) / xp.where(m > self.d, self.high, self.low)) ** 2

    def derivatives(self, m: Array, xp: Namespace) -> tuple[Array, ...]:
        weight = 1.0 / xp.where(m > self.d, self.high, self.low) ** 2
        x = m - self.d
        return -0.5 * weight * x * x, -weight * x, -weight

    def is_simple(self, m: Array, mode: Array, xp: Namespace) -> Array:
        return xp.all(xp.abs(mode) <= _HERMITE_MODE * xp.minimum(self.low, self.high), axis=(-2, -1))

    def kink(self, m: Array, mode: Array, xp: Namespace) -> Array:
        """Return the amplitude at which the model is the datum, by least squares."""
        return _least_squares(self.d - m, mode, xp.minimum(self.low, self.high), xp)

    def select(self, choose: Callable[[Array], Array]) -> SplitGaussians:
        return SplitGaussians(*(rows_of(array, choose) for array in (self.d, self.low, self.high)))


class Groups:
    """Groups of data that share an amplitude. Shorter groups are filled up with data without a penalty.

    Parameters
    ----------
    labels : sequence of str
        Name of the group of each datum.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        names = list(dict.fromkeys(labels))
        self.members = [np.flatnonzero([label == name for label in labels]) for name in names]
        size = max(map(len, self.members))
        self.index = np.array([np.resize(rows, size) for rows in self.members])
        self.is_real = np.array([np.arange(size) < len(rows) for rows in self.members])

    def joined(self, values: Sequence[Array]) -> Array:
        """Return values ``(s,)`` of each group as one array in the order of the data."""
        found = np.empty(sum(map(len, self.members)))
        for rows, each in zip(self.members, values, strict=True):
            found[rows] = each
        return found

    def of_models(self, values: Array, xp: Namespace) -> Array:
        """Return models or modes ``(n, data)`` as ``(n, g, s)``."""
        return xp.reshape(xp.take(values, self.index.ravel()), (-1, *self.index.shape))

    def of_terms(self, values: Array, fill: float, xp: Namespace) -> Array:
        """Return properties of the data ``(data,)`` or ``(n, data)`` as ``(g, 1, s)`` or ``(n, g, 1, s)``."""
        if len(values.shape) == 1:
            return np.where(self.is_real, values[self.index], fill)[:, None, :]
        return xp.where(self.is_real, self.of_models(values, xp), fill)[:, :, None, :]


def _least_squares(change: Array, mode: Array, sigma: Array, xp: Namespace) -> Array:
    """Return the amplitude ``(n, g, 1)`` of a mode that fits a change of the model best."""
    weighted = mode / (sigma * sigma)
    return xp.sum(weighted * change, axis=-1) / (xp.sum(weighted * mode, axis=-1) + _TINY)


def rows_of(array: Array, choose: Callable[[Array], Array]) -> Array:
    """Return an array ``(n, g, 1, s)`` after a choice of points, and an array ``(g, 1, s)`` unchanged."""
    return choose(array) if len(array.shape) == _RANK else array


def principal_mode(modes: Array, sigma: Array, xp: Namespace) -> tuple[Array, Array]:
    """Return the strongest direction of some modes, and the variance of the others as independent errors.

    The amplitudes are independent and of unit variance, so that they can be rotated. The first one after the rotation
    has the largest sum of squares in units of ``sigma``.

    Parameters
    ----------
    modes : (n, r, s) array
    sigma : (s,) array
        Errors of the data.
    xp : namespace

    Returns
    -------
    (n, s) array
        The strongest mode.
    (n, s) array or None
        Sum of the squares of the other modes. None if there is one mode only.
    """
    if modes.shape[1] == 1:
        return modes[:, 0, :], None
    if modes.shape[1] == _PAIR:
        return _principal_of_two(modes[:, 0, :], modes[:, 1, :], sigma, xp)
    scaled = modes / sigma
    gram = xp.matmul(scaled, xp.transpose(scaled, (0, 2, 1)))
    r = modes.shape[1]
    # The power 2^k of the matrix, by k squarings, projects onto its strongest direction.
    for _ in range(_SQUARINGS):
        gram = gram / (xp.sum(gram * np.eye(r), axis=(1, 2))[:, None, None] + _TINY)
        gram = xp.matmul(gram, gram)
    direction = xp.sum(gram * _START ** np.arange(r), axis=-1)[:, :, None]
    direction = direction / (xp.sqrt(xp.sum(direction * direction, axis=1))[:, :, None] + _TINY)
    strongest = xp.sum(direction * modes, axis=1)
    return strongest, xp.maximum(xp.sum(modes * modes, axis=1) - strongest * strongest, 0.0)


def _principal_of_two(a: Array, b: Array, sigma: Array, xp: Namespace) -> tuple[Array, Array]:
    """Return the stronger direction of two modes ``(n, s)``, and the square of the other: a rotation by Jacobi."""
    x, y = a / sigma, b / sigma
    half = 0.5 * xp.sum((x - y) * (x + y), axis=-1)
    product = xp.sum(x * y, axis=-1)
    ratio = half / (xp.sqrt(half * half + product * product) + _TINY)
    ratio = xp.maximum(xp.minimum(ratio, 1.0), -1.0)  # rounding errors
    cosine = xp.sqrt(0.5 + 0.5 * ratio + _NOT_ZERO)[:, None]
    sine = (xp.where(product >= 0, 1.0, -1.0) * xp.sqrt(0.5 - 0.5 * ratio + _NOT_ZERO))[:, None]
    return cosine * a + sine * b, (cosine * b - sine * a) ** 2


def gaussian_with_modes(residual: Array, variance: Array, modes: Array, xp: Namespace) -> Array:
    """Return the log-likelihood of Gaussian data with independent errors and common modes.

    The covariance is ``C = V + U U^T``, with the diagonal matrix ``V``, and the modes as columns of ``U``. Its inverse
    and determinant follow from the matrix ``A = 1 + U^T V^-1 U`` of the size of the number of modes (Woodbury 1950):
    ``chi^2 = r^T V^-1 r - b^T A^-1 b`` with ``b = U^T V^-1 r``, and ``ln det C = ln det V + ln det A``.

    Parameters
    ----------
    residual, variance : (n, s) array
    modes : (n, r, s) array
    xp : namespace

    Returns
    -------
    (n,) array
        ``-(chi^2 + ln det C) / 2``, without the constant of 2 pi.
    """
    weighted = modes / variance[:, None, :]
    a = xp.matmul(weighted, xp.transpose(modes, (0, 2, 1))) + np.eye(modes.shape[1])
    b = xp.matmul(weighted, residual[:, :, None])
    amplitudes = xp.solve(a, b)
    # A sum of squares, as the difference of r^T V^-1 r and b^T A^-1 b has no digits left far from the data.
    left = residual - xp.sum(modes * amplitudes, axis=1)
    chi2 = xp.sum(left * left / variance, axis=-1) + xp.sum(amplitudes * amplitudes, axis=(1, 2))
    return -0.5 * (chi2 + xp.sum(xp.log(variance), axis=-1) + xp.logdet(a))
