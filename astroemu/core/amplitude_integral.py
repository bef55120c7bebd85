"""The integral over a common amplitude, see :mod:`astroemu.core.common_errors`."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace

Array = Any
#: A parabola is used if the maximum is at most this far away.
_NEAREST = 0.5
#: An expansion is used if the maximum is at most this far away, and if skewness and kurtosis are at most these.
_NEAR, _SKEWNESS, _KURTOSIS = 1.0, 0.25, 0.1
_NEWTON_STEPS = 16
#: Nodes and weights of the Gauss-Hermite rule for terms with kinks, and of the rule of a panel.
_HERMITE, _PANEL = np.polynomial.hermite_e.hermegauss(9), np.polynomial.legendre.leggauss(12)
#: Drops of the log integrand at the edges of the panels, and steps to find them.
_DROPS, _EDGE_STEPS = (2.0, 12.0), 8
#: A search has settled if its next step is below these fractions of the width of the integrand, or of the distance.
_SETTLED, _NEAR_EDGE = 0.002, 0.03
#: Largest step towards the maximum, in the logarithm of the distance.
_FARTHEST_STEP = 50.0
_LARGEST_EXPONENT = 100.0
_ROOT = 1.0 / math.sqrt(2.0 * math.pi)
_TINY = 1e-300


class Terms(ABC):
    """Log-likelihoods of data in groups, each a concave function of its model.

    Models have the shape ``(n, g, q, s)``: points, groups of data that share an amplitude, amplitudes, data of a group.
    Arrays of the terms have the shape ``(g, 1, s)``, or ``(n, g, 1, s)`` if they depend on the point.
    """

    #: True if the second derivative jumps, so that an expansion to fourth order does not help.
    kinked: bool = False

    @abstractmethod
    def value(self, m: Array, xp: Namespace) -> Array:
        """Return the log-likelihoods at ``m``, in its shape."""

    def integrand(self, m: Array, xp: Namespace) -> Array:
        """Return the log-likelihoods at ``m``, in its shape, with an error of at most 1e-6."""
        return self.value(m, xp)

    @abstractmethod
    def derivatives(self, m: Array, xp: Namespace) -> tuple[Array, ...]:
        """Return the value and its derivatives with respect to ``m``: the first four, or two for terms with kinks."""

    def slopes(self, m: Array, xp: Namespace) -> tuple[Array, Array, Array]:
        """Return the value and its first two derivatives, for searches."""
        value, first, second, *_ = self.derivatives(m, xp)
        return value, first, second

    @abstractmethod
    def is_simple(self, m: Array, mode: Array, xp: Namespace) -> Array:
        """Return for which ``(n, g)`` no term changes its regime for probable amplitudes of the mode."""

    def nearly_linear(self, m: Array, mode: Array, xp: Namespace) -> tuple[Array, Array, Array, Array] | None:
        """Return the value, two derivatives, and for which ``(n, g)`` higher ones do not count.

        They do not if the sum of ``|u third|`` and the like is below about 1e-3 for probable amplitudes. None if the
        terms cannot tell. Most points are of this kind, and it costs a third of the other ways.
        """
        return None

    def kink(self, m: Array, mode: Array, xp: Namespace) -> Array | None:
        """Return the amplitude ``(n, g, 1)`` at which the slope of the sum jumps most; None if it does not jump."""
        return None

    @abstractmethod
    def select(self, choose: Callable[[Array], Array]) -> Terms:
        """Return the terms of chosen points: ``choose`` is applied to every array that has one row per point."""


def marginal(terms: Terms, m: Array, mode: Array, xp: Namespace) -> Array:
    """Return the log-likelihood of all data, marginalised over one amplitude per group.

    Parameters
    ----------
    terms : Terms
        Log-likelihoods of the data.
    m, mode : (n, g, s) array
        Model, and its change for an amplitude of one.
    xp : namespace

    Returns
    -------
    (n,) array
        Sum over the groups, accurate to 1e-3.
    """
    m, mode = m[:, :, None, :], mode[:, :, None, :]
    found = terms.nearly_linear(m, mode, xp)
    if found is None:
        return _near_zero(terms, m, mode, xp)
    good, value = _by_parabola(*found, mode, xp)
    return xp.where_rows(good, value, lambda choose: _near_zero(terms.select(choose), choose(m), choose(mode), xp))


def _by_parabola(value: Array, first: Array, second: Array, good: Array, mode: Array, xp: Namespace) -> Array:
    """Return where the integrand is a Gaussian, and the sum of its integrals, ``(n,)``."""
    g1 = xp.sum(first * mode, axis=-1)[..., 0]
    curvature = 1.0 - xp.sum(second * mode * mode, axis=-1)[..., 0]
    good = good & (xp.abs(g1) <= _NEAREST * curvature)
    total = xp.sum(value, axis=(-2, -1)) + 0.5 * (g1 * g1 / curvature - xp.log(curvature))
    return xp.all(good, axis=-1), xp.sum(total, axis=-1)


def _near_zero(terms: Terms, m: Array, mode: Array, xp: Namespace) -> Array:
    """Return the marginal by an expansion about a = 0, where that is accurate, and by other ways elsewhere."""
    rule = _by_hermite if terms.kinked else _by_expansion
    good, value = rule(terms, m, mode, 0.0 * m[..., 0], xp)
    return xp.where_rows(good, value, lambda choose: _elsewhere(terms.select(choose), choose(m), choose(mode), xp))


def _elsewhere(terms: Terms, m: Array, mode: Array, xp: Namespace) -> Array:
    """Return the marginal of points whose maximum is far from a = 0."""
    # The integral does not depend on where its nodes are, so that no gradient goes through their search.
    a = _maximum(terms.select(xp.stop_gradient), xp.stop_gradient(m), xp.stop_gradient(mode), xp)
    if terms.kinked:
        return _by_panels(terms, m, mode, a, xp)
    good, value = _by_expansion(terms, m, mode, a, xp)
    return xp.where_rows(
        good, value, lambda choose: _by_panels(terms.select(choose), choose(m), choose(mode), choose(a), xp)
    )


def _log_integrand(terms: Terms, m: Array, mode: Array, a: Array, xp: Namespace) -> Array:
    """Return ``sum_i ln L_i(m_i + a u_i) - a^2 / 2`` at amplitudes ``a (n, g, q)``, in their shape."""

    def at(a: Array) -> Array:
        return xp.sum(terms.integrand(m + a[..., None] * mode, xp), axis=-1) - 0.5 * a * a

    return xp.in_columns(at, a, m)


def _derivatives(terms: Terms, m: Array, mode: Array, a: Array, xp: Namespace) -> list[Array]:
    """Return the log integrand and its derivatives with respect to the amplitude, each in the shape of ``a``."""
    found, power = [], 1.0
    for values in terms.derivatives(m + a[..., None] * mode, xp):
        found.append(xp.sum(values * power, axis=-1))
        power = power * mode
    return [found[0] - 0.5 * a * a, found[1] - a, found[2] - 1.0, *found[3:]]


def _maximum(terms: Terms, m: Array, mode: Array, xp: Namespace) -> Array:
    """Return the amplitude ``(n, g, 1)`` at the maximum of the integrand, by Newton's method with bisection.

    The curvature is at most -1, so that the maximum lies between any amplitude and this amplitude plus the slope.
    """

    def step(a: Array, low: Array, high: Array, best: Array, top: Array, settled: Array) -> tuple[Array, ...]:
        values, first, second = terms.slopes(m + a[..., None] * mode, xp)
        value = xp.sum(values, axis=-1) - 0.5 * a * a
        slope, curvature = xp.sum(first * mode, axis=-1) - a, xp.sum(second * mode * mode, axis=-1) - 1.0
        low, high = xp.maximum(low, a + xp.minimum(slope, 0.0)), xp.minimum(high, a + xp.maximum(slope, 0.0))
        best, top = xp.where(value > top, a, best), xp.maximum(value, top)
        newton = a - slope / curvature
        # Strictly inside: Newton's method jumps back and forth over a kink.
        moved = xp.where((newton > low) & (newton < high), newton, 0.5 * (low + high))
        # A settled point stays where it is, so that it does not depend on the points beside it.
        settled = settled | (xp.abs(moved - a) * xp.sqrt(xp.maximum(-curvature, 1.0)) < _SETTLED)
        return xp.where(settled, a, moved), low, high, best, top, settled

    a = 0.0 * m[..., 0]
    return xp.iterate(step, (a, a - np.inf, a + np.inf, a, a - np.inf, a < 0.0), _NEWTON_STEPS)[3]


def _by_expansion(terms: Terms, m: Array, mode: Array, a: Array, xp: Namespace) -> tuple[Array, Array]:
    """Return where the expansion about ``a (n, g, 1)`` is accurate, and the sum of the integrals from it, ``(n,)``."""
    g0, g1, g2, g3, g4 = _derivatives(terms, m, mode, a, xp)
    step = -g1 / g2
    top = g0 + step * (g1 + step * (g2 / 2 + step * (g3 / 6 + step * g4 / 24)))
    width = 1.0 / xp.maximum(-(g2 + step * (g3 + step * g4 / 2)), 0.5)
    skewness, kurtosis = (g3 + step * g4) * xp.sqrt(width) * width, g4 * width * width
    value = top + 0.5 * xp.log(width) + kurtosis / 8 + 5 * skewness * skewness / 24
    good = (xp.abs(step) <= _NEAR) & (xp.abs(skewness) <= _SKEWNESS) & (xp.abs(kurtosis) <= _KURTOSIS)
    good = good[..., 0] & terms.is_simple(m + a[..., None] * mode, mode, xp)
    return xp.all(good, axis=-1), xp.sum(value[..., 0], axis=-1)


def _by_hermite(terms: Terms, m: Array, mode: Array, a: Array, xp: Namespace) -> tuple[Array, Array]:
    """Return where a Gauss-Hermite rule around the maximum is accurate, and the sum of the integrals from it."""
    _, slope, curvature = _derivatives(terms, m, mode, a, xp)
    a = a - slope / curvature
    top, _, curvature = _derivatives(terms, m, mode, a, xp)
    width = 1.0 / xp.sqrt(-curvature)
    nodes, weights = _HERMITE
    drops = _log_integrand(terms, m, mode, a + width * nodes, xp) - top
    # Points that are not good may have a huge integrand, whose gradient must stay finite.
    inside = xp.minimum(drops + 0.5 * nodes**2, _LARGEST_EXPONENT)
    total = xp.sum(weights * _ROOT * xp.exp(inside), axis=-1) * width[..., 0]
    good = xp.all(terms.is_simple(m, mode, xp), axis=-1)
    return good, xp.sum(top[..., 0] + xp.log(total), axis=-1)


def _by_panels(terms: Terms, m: Array, mode: Array, a: Array, xp: Namespace) -> Array:
    """Return the sum of integrals by Gauss-Legendre quadrature, on panels on each side of the maximum ``a``.

    A panel ends where the integrand has dropped, and at a kink.
    """
    top, kink = _log_integrand(terms, m, mode, a, xp), terms.kink(m, mode, xp)
    nodes, weights = _PANEL
    place, weights = 0.5 * (nodes + 1.0), 0.5 * _ROOT * weights
    still = xp.stop_gradient
    edges = _edges(terms.select(still), still(m), still(mode), still(a), still(top), xp)
    starts, lengths, sides = [], [], []
    for first, side in ((0, -1.0), (2, 1.0)):
        near, far = edges[..., first : first + 1], edges[..., first + 1 : first + 2]
        if kink is not None:
            turn = xp.stop_gradient(side * (kink - a))
            near = xp.where((turn > near) & (turn < far), turn, near)
        ends = [0.0 * near, near, far]
        starts += ends[:-1]
        lengths += [high - low for low, high in pairwise(ends)]
        sides += [side] * (len(ends) - 1)
    # All nodes of all panels in one array: a compiler then sees the terms once.
    count, one = len(place), np.ones(len(place))
    start, length = (
        xp.reshape(xp.concatenate(parts, axis=-1)[..., None] * one, (*a.shape[:-1], -1)) for parts in (starts, lengths)
    )
    distance = start + length * np.tile(place, len(sides))
    drops = _log_integrand(terms, m, mode, a + np.repeat(sides, count) * distance, xp) - top
    total = xp.sum(np.tile(weights, len(sides)) * length * xp.exp(drops), axis=-1)
    return xp.sum(top[..., 0] + xp.log(total), axis=-1)


def _edges(terms: Terms, m: Array, mode: Array, a: Array, top: Array, xp: Namespace) -> Array:
    """Return the distances ``(n, g, 4)`` from the maximum at which the log integrand has dropped by :data:`_DROPS`.

    They are near and far below it, then above it. The drop grows at least as the square of the distance, from N(0, 1).
    Newton's method for the logarithm of the drop is exact for every power of the distance. If it leaves the bracket,
    the bracket is halved.
    """
    sides, drop = np.repeat([-1.0, 1.0], len(_DROPS)), np.tile(_DROPS, 2)

    def step(distance: Array, inside: Array, outside: Array, settled: Array) -> tuple[Array, ...]:
        place = a + sides * distance
        values, slopes, _ = terms.slopes(m + place[..., None] * mode, xp)
        value = xp.sum(values, axis=-1) - 0.5 * place * place
        slope = xp.sum(slopes * mode, axis=-1) - place
        dropped = xp.maximum(top - value, _TINY)
        inside = xp.where(dropped < drop, distance, inside)
        outside = xp.where(dropped < drop, outside, distance)
        power = xp.maximum(-sides * slope * distance / dropped, 1.0)
        newton = distance * xp.exp(xp.maximum(xp.log(drop / dropped) / power, -_FARTHEST_STEP))
        moved = xp.where((newton >= inside) & (newton <= outside), newton, 0.5 * (inside + outside))
        settled = settled | (xp.abs(moved - distance) < _NEAR_EDGE * distance)
        return xp.where(settled, distance, moved), inside, outside, settled

    outside = 0.0 * a + np.sqrt(2.0 * drop)
    return xp.iterate(step, (outside, 0.0 * outside, outside, outside < 0.0), _EDGE_STEPS)[0]
