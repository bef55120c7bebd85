"""Log-likelihoods of the bins of a luminosity function that share errors.

The amplitude ``a`` of a common error moves the density ``phi`` of every bin of a field. A measurement has the density
``phi + a u``, as its error bars are linear in phi. A number of galaxies cannot be negative. Its density is
``phi exp(a u / phi)``, which is the same for small errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from scipy import special, stats

from astroemu.core.array_namespace import Namespace
from astroemu.core.common_errors import SplitGaussians
from astroemu.core.typing import FloatArray

Array = Any
#: Largest amplitude, smallest mode and smallest mass of a piece, to avoid infinities.
_FARTHEST, _TINY, _SHORTEST = 1e12, 1e-150, 1e-15
#: Largest ln of a density.
_MOST = 300.0
#: Largest excess of the log integrand over its maximum, which only rounding errors of huge numbers reach.
_ROUNDING = 30.0
#: Steps to bracket the maximum of the integrand, drop of its logarithm at the edges, and nodes on each side.
_HALVINGS, _PARTS, _NEWTON_STEPS, _DROP = 24, 16, 3, 12.0
_RULE = np.polynomial.legendre.leggauss(20)


def expected_at_limit(counts: FloatArray, n_sigma: FloatArray) -> FloatArray:
    """Return the expected number of galaxies at an upper limit at ``n_sigma``, if ``counts`` were found.

    It is the Poisson limit at the one-sided confidence of ``n_sigma`` (Gehrels 1986, ApJ 303, 336): 1.841 for none at
    one sigma, 3.783 at two.

    Parameters
    ----------
    counts, n_sigma : (bins,) array
    """
    return np.asarray(special.gammainccinv(counts + 1.0, stats.norm.sf(n_sigma)))


def poisson(log_phi: Array, counts: FloatArray, rate: FloatArray, xp: Namespace) -> Array:
    """Return the log-likelihood of ``counts`` galaxies, relative to its maximum.

    Parameters
    ----------
    log_phi : (n, bins) array
        ln of the density.
    counts : (bins,) array
    rate : (bins,) array
        Expected number of galaxies per density.
    """
    return counts * log_phi - rate * xp.exp(log_phi) + highest(counts, rate)


def highest(counts: FloatArray, rate: FloatArray) -> FloatArray:
    """Return what is added to ``k ln phi - rate phi`` so that its maximum is zero."""
    some = counts > 0
    best = np.where(some, rate, 1.0) / np.where(some, counts, 1.0)
    return np.where(some, counts * (1.0 + np.log(best)), 0.0)


def split_with_mode(terms: SplitGaussians, m: Array, mode: Array, xp: Namespace) -> Array:
    """Return the log-likelihood of half-Gaussians, marginalised over one amplitude per group, in closed form.

    The integrand is a Gaussian in the amplitude between those values at which a datum changes its side. Each of these
    pieces is a difference of normal distribution functions.

    Parameters
    ----------
    terms : SplitGaussians
    m, mode : (n, g, s) array
        Model, and its change for an amplitude of one.
    xp : namespace

    Returns
    -------
    (n,) array
        Sum over the groups.
    """
    s = m.shape[-1]
    residual, u = (m - terms.d[..., 0, :])[:, :, None, :], mode[:, :, None, :]
    change = -residual / xp.where(xp.abs(u) < _TINY, _TINY, u)
    change = xp.minimum(xp.maximum(change, -_FARTHEST), _FARTHEST)
    # Piece 0 ends at the lowest change of side, and piece i > 0 begins at that of datum i.
    begin = xp.concatenate([0.0 * change[..., :1] - _FARTHEST, xp.transpose(change, (0, 1, 3, 2))], axis=2)
    order = np.arange(s) > np.arange(-1, s)[:, None]  # of equal ones
    later = (change > begin) | ((change >= begin) & order)
    end = reduce(xp.minimum, [xp.where(later[..., j], change[..., j], _FARTHEST) for j in range(s)])
    above = xp.where(u >= 0, ~later, later)
    weight = 1.0 / xp.where(above, terms.high, terms.low) ** 2
    precision = 1.0 + xp.sum(weight * u * u, axis=-1)
    best = -xp.sum(weight * u * residual, axis=-1) / precision
    left = residual + best[..., None] * u
    top = -0.5 * (xp.sum(weight * left * left, axis=-1) + best * best + xp.log(precision))
    root = xp.sqrt(precision)
    pieces = top + _log_mass(root * (begin[..., 0] - best), root * (end - best), xp)
    highest_piece = reduce(xp.maximum, [pieces[..., i] for i in range(s + 1)])
    return xp.sum(highest_piece + xp.log(xp.sum(xp.exp(pieces - highest_piece[..., None]), axis=-1)), axis=-1)


def _log_mass(low: Array, high: Array, xp: Namespace) -> Array:
    """Return ``ln [Phi(high) - Phi(low)]``."""
    flip = low + high > 0
    low, high = xp.where(flip, -high, low), xp.where(flip, -low, high)
    upper = xp.log_ndtr(high)
    return upper + xp.log1p(-xp.exp(xp.minimum(xp.log_ndtr(low) - upper, -_SHORTEST)))


@dataclass(frozen=True, eq=False)
class Counts:
    """Half-Gaussians and Poisson counts, in groups that share an amplitude ``a`` of the prior N(0, 1).

    Each log-likelihood is a concave function of ``a``. A datum is one of the two: ``rate`` and ``counts`` are zero for
    a measurement, and a count has widths without a penalty.

    Attributes
    ----------
    measured : SplitGaussians
    m, mode : (n, g, 1, s) array
        Model, and its change for an amplitude of one.
    counts, rate : (g, 1, s) array
        Numbers of galaxies, and the expected number per density.
    log_phi, slope : (n, g, 1, s) array
        ln of the density of the counts for ``a = 0``, and its derivative.
    """

    measured: SplitGaussians
    m: Array
    mode: Array
    counts: FloatArray
    rate: FloatArray
    log_phi: Array
    slope: Array

    def log_integrand(self, a: Array, xp: Namespace) -> Array:
        """Return the log-likelihood plus that of the prior at amplitudes ``a (n, g, q)``, in their shape."""
        log_phi = self.log_phi + a[..., None] * self.slope
        value = self.measured.value(self.m + a[..., None] * self.mode, xp)
        value = value + self.counts * log_phi - self.rate * xp.exp(xp.minimum(log_phi, _MOST))
        return xp.sum(value, axis=-1) - 0.5 * a * a

    def slopes(self, a: Array, xp: Namespace) -> tuple[Array, Array]:
        """Return the first two derivatives of the log integrand. The second is at most -1."""
        expected = self.rate * xp.exp(xp.minimum(self.log_phi + a[..., None] * self.slope, _MOST))
        _, first, second = self.measured.derivatives(self.m + a[..., None] * self.mode, xp)
        first = xp.sum(first * self.mode + (self.counts - expected) * self.slope, axis=-1) - a
        return first, xp.sum(second * self.mode**2 - expected * self.slope**2, axis=-1) - 1.0

    def marginal(self, xp: Namespace) -> Array:
        """Return the log-likelihood ``(n,)``, marginalised over the amplitudes by Gauss-Legendre quadrature."""
        highest_at = self._maximum(xp)
        top = self.log_integrand(highest_at, xp)
        nodes, weights = _RULE
        place, weights = 0.5 * (nodes + 1.0), 0.5 * weights / math.sqrt(2.0 * math.pi)
        total: Any = 0.0
        for side in (-1.0, 1.0):
            edge = self._edge(highest_at, top, side, xp)
            values = self.log_integrand(highest_at + side * edge * place, xp) - top
            total = total + xp.sum(weights * edge * xp.exp(xp.minimum(values, _ROUNDING)), axis=-1)
        return xp.sum(top[..., 0] + xp.log(total), axis=-1)

    def _maximum(self, xp: Namespace) -> Array:
        """Return the amplitude ``(n, g, 1)`` of the maximum, which lies between zero and the slope at zero.

        The bracket shrinks by powers of two, then to a sixteenth. Newton's method does the rest.
        """
        far, _ = self.slopes(0.0 * self.m[..., 0], xp)
        rising, _ = self.slopes(far * 2.0 ** np.arange(-_HALVINGS, 1.0), xp)
        n = xp.sum(xp.where(rising * far > 0, 1.0, 0.0), axis=-1)[..., None] - _HALVINGS
        high = far * xp.exp(math.log(2.0) * n)
        low = xp.where(n > -_HALVINGS, 0.5 * high, 0.0)
        step = (high - low) / _PARTS
        rising, _ = self.slopes(low + step * np.arange(1.0, _PARTS), xp)
        low = low + step * xp.sum(xp.where(rising * far > 0, 1.0, 0.0), axis=-1)[..., None]
        first, last = xp.minimum(low, low + step), xp.maximum(low, low + step)
        a = low + 0.5 * step
        for _ in range(_NEWTON_STEPS):
            slope, curvature = self.slopes(a, xp)
            a = xp.minimum(xp.maximum(a - slope / curvature, first), last)
        return a

    def _edge(self, a: Array, top: Array, side: float, xp: Namespace) -> Array:
        """Return the smallest distance ``(n, g, 1)``, by powers of two, at which the integrand is negligible."""
        distances = math.sqrt(2.0 * _DROP) * 2.0 ** -np.arange(_HALVINGS)
        far = self.log_integrand(a + side * distances, xp) < top - _DROP
        n = xp.maximum(xp.sum(xp.where(far, 1.0, 0.0), axis=-1), 1.0)
        return distances[0] * xp.exp(math.log(2.0) * (1.0 - n))[..., None]
