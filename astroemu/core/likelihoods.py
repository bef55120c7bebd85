"""Log-likelihoods of one datum, as components of probes.

Each function takes the model ``m`` and the datum ``d`` in the same unit. They are arrays that broadcast, so that a
function works on an entire batch, with the array namespace ``xp``. The result has the broadcast shape and is a
natural logarithm. It is never plus infinity and never increases as the model moves away from the datum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from astroemu.core.array_namespace import NUMPY, Namespace

Array = Any


def gaussian(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Return the log-likelihood of a Gaussian with the data error and an extra, model-dependent error.

    Parameters
    ----------
    m, d, sigma : array
        Model, datum and data error, in the same unit.
    xp : namespace
    extra : array, optional
        Further 1-sigma error, added in quadrature. It can depend on the parameters, so that its normalisation is
        kept. With ``x = m - d`` and ``s^2 = sigma^2 + extra^2``, the result is
        ``-x^2 / (2 s^2) - ln(s^2 / sigma^2) / 2``.

    Returns
    -------
    array
        Zero at the datum without an extra error.
    """
    if extra is None:
        return -0.5 * ((m - d) / sigma) ** 2
    ratio = 1.0 + (extra / sigma) ** 2
    return -0.5 * ((m - d) / sigma) ** 2 / ratio - 0.5 * xp.log(ratio)


def split_gaussian(m: Array, d: Array, low: Array, high: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Return the log-likelihood of two half-Gaussians of equal height with different widths.

    A datum quoted as d (+high, -low) states where the *parameter* may be. The width is therefore ``high`` for m > d
    and ``low`` for m < d.

    Parameters
    ----------
    m, d : array
        Model and datum, in the same unit.
    low, high : array
        Lengths of the lower and upper error bar.
    xp : namespace
    extra : array, optional
        Further 1-sigma error, added to both widths in quadrature. The normalisation, proportional to the sum of the
        widths, then depends on the model. It is kept, relative to that without the extra error.
    """
    if extra is None:
        return -0.5 * ((m - d) / xp.where(m > d, high, low)) ** 2
    wide_low, wide_high = xp.sqrt(low**2 + extra**2), xp.sqrt(high**2 + extra**2)
    norm = xp.log((wide_low + wide_high) / (low + high))
    return -0.5 * ((m - d) / xp.where(m > d, wide_high, wide_low)) ** 2 - norm


def barlow_gaussian(m: Array, d: Array, low: Array, high: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Return the log-likelihood of asymmetric errors with a variance linear in the residual.

    The form is ``-x^2 / (2 V)`` with ``x = m - d`` and ``V = low high + (high - low) x`` (Barlow 2004,
    physics/0406120). It has a pole where V vanishes, and is positive beyond it. Here V is at least one per cent of
    ``low high``. This leaves the likelihood unchanged up to 0.99 of the distance to the pole. Beyond
    that, the likelihood keeps falling.

    Parameters
    ----------
    m, d : array
        Model and datum, in the same unit.
    low, high : array
        Lengths of the lower and upper error bar.
    xp : namespace
    extra : array, optional
        Further 1-sigma error, added to both error bars in quadrature.
    """
    x = m - d
    if extra is not None:
        low, high = xp.sqrt(low**2 + extra**2), xp.sqrt(high**2 + extra**2)
    variance = xp.maximum(low * high + (high - low) * x, 0.01 * low * high)
    return -0.5 * x * x / variance


def marginal_upper_limit(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Return the log-likelihood of a power measured on top of an unknown positive systematic.

    Marginalisation over a systematic with the flat prior [0, inf) gives ``ln Phi((d - m) / s)`` up to a constant. See
    HERA Collaboration (2022, ApJ 924, 51, arXiv:2108.07282). The exact ``log_ndtr`` has no floor: its tail continues
    as ``-x^2 / 2`` at any distance.

    Parameters
    ----------
    m, d, sigma : array
        Model (not negative), datum and data error, in the same unit.
    xp : namespace
    extra : array, optional
        Further *variance*, which grows with the model: ``s^2 = sigma^2 + extra``. For a negative datum, the
        likelihood would rise again where ``extra`` exceeds ``sigma^2 m / |d|``. There ``extra`` is limited to that
        value. Smaller values are unchanged, and the likelihood keeps falling.
    """
    if extra is None:
        return xp.log_ndtr((d - m) / sigma)
    return xp.log_ndtr((d - m) / xp.sqrt(sigma**2 + limited_variance(extra, m, d, sigma, xp)))


def limited_variance(extra: Array, m: Array, d: Array, sigma: Array, xp: Namespace) -> Array:
    """Return the variance ``extra``, limited for negative data as :func:`marginal_upper_limit` describes."""
    below = np.asarray(d) < 0
    most = sigma**2 * m / np.where(below, np.abs(d), 1.0)
    return xp.where(below, xp.minimum(extra, most), extra)


def one_sided(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Return the log-likelihood of an upper limit with a tail: zero up to ``d``, then a Gaussian of width ``sigma``.

    Parameters
    ----------
    m, d, sigma : array
        Model, limit and width of the tail, in the same unit.
    xp : namespace
    extra : array, optional
        Further 1-sigma error, added to the width in quadrature.
    """
    width = sigma if extra is None else xp.sqrt(sigma**2 + extra**2)
    return -0.5 * (xp.maximum(m - d, 0.0) / width) ** 2


def half_normal_width(limit: Array, level: float) -> Array:
    """Return the width of the half-normal distribution at zero with a probability ``level`` below ``limit``.

    It turns a limit at a stated confidence ("x < 0.44 at 68 %") into a likelihood. The unit is that of ``limit``.
    """
    return np.asarray(limit) / (math.sqrt(2.0) * special.erfinv(level))


def log_norm_barlow(low: Array, high: Array) -> Array:
    """Return the logarithm of the integral of :func:`barlow_gaussian` over all data.

    The integral is ``sqrt(low high)`` times a function of the ratio ``high / low``, which is tabulated.

    Parameters
    ----------
    low, high : array
        Lengths of the error bars. They broadcast, and the result has their common shape.
    """
    low, high = np.broadcast_arrays(low, high)
    skew = np.abs(np.log(high / low))
    table = np.linspace(0.0, max(float(skew.max(initial=0.0)), 1e-3), 65)
    mass = special.logsumexp(_barlow_cells(table), axis=-1) + np.log(2.0 * _largest_residual(table) / _CELLS)
    return 0.5 * np.log(low * high) + np.interp(skew, table, mass)


#: Number of cells of equal width in which a density without a closed quantile function is tabulated.
_CELLS = 20_000


def _largest_residual(skew: Array) -> Array:
    """Return the residual beyond which the density is negligible for ``skew = ln(high / low)``.

    The unit is ``sqrt(low high)``.
    """
    return 30.0 * np.exp(0.5 * np.abs(skew))


def _barlow_cells(skew: Array) -> Array:
    """Return the log density ``(..., cells)`` at the midpoints of cells of the residual, for ``low high = 1``."""
    skew = np.asarray(skew)[..., None]
    residual = _largest_residual(skew) * (2.0 * cell_middles(_CELLS) - 1.0)
    return barlow_gaussian(residual, 0.0, np.exp(-0.5 * skew), np.exp(0.5 * skew), NUMPY)


def cell_middles(n: int) -> Array:
    """Return the midpoints ``(n,)`` of ``n`` equal cells between 0 and 1."""
    return (np.arange(n) + 0.5) / n


def log_mass_of_limits(m: Array, sigma: Array, low: Array, high: Array) -> Array:
    """Return the logarithm of the integral of :func:`marginal_upper_limit` over data between ``low`` and ``high``.

    ``int Phi((d - m) / s) dd = s [G((high - m) / s) - G((low - m) / s)]`` with ``G(x) = x Phi(x) + phi(x)``.

    Parameters
    ----------
    m, sigma : array
        Model and data error, in the unit of the data.
    low, high : array
        Range of the data.
    """
    upper, lower = _log_ramp((high - m) / sigma), _log_ramp((low - m) / sigma)
    return np.log(sigma) + upper + np.log1p(-np.exp(lower - upper))


def _log_ramp(x: Array) -> Array:
    """Return ``ln [x Phi(x) + phi(x)]``, from its asymptotic series below -8."""
    x = np.asarray(x, dtype=float)
    log_phi = -0.5 * x * x - 0.5 * math.log(2.0 * math.pi)
    near = np.maximum(x, -8.0)
    inverse = 1.0 / np.minimum(x, -8.0) ** 2
    series = np.log(inverse * (1.0 - inverse * (3.0 - inverse * (15.0 - 105.0 * inverse))))
    direct = near * special.ndtr(near) + np.exp(-0.5 * near * near) / math.sqrt(2.0 * math.pi)
    return np.where(x > -8.0, np.log(direct), log_phi + series)


def draw_cell(log_density: Array, rng: np.random.Generator) -> Array:
    """Return random positions among equal cells, from a density known at their midpoints.

    Parameters
    ----------
    log_density : (..., cells) array
        Log density, up to a constant per row.
    rng : Generator

    Returns
    -------
    (...) array
        Position between 0 and 1, as a fraction of the entire range. It is uniform within a cell.
    """
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    cumulative = np.cumsum(density, axis=-1)
    wanted = rng.random(density.shape[:-1]) * cumulative[..., -1]
    cell = np.sum(cumulative <= wanted[..., None], axis=-1)
    return (np.minimum(cell, density.shape[-1] - 1) + rng.random(cell.shape)) / density.shape[-1]


def draw_barlow_gaussian(m: Array, low: Array, high: Array, rng: np.random.Generator | None) -> Array:
    """Return data drawn from :func:`barlow_gaussian` at the true value ``m``, or ``m`` if ``rng`` is None.

    Parameters
    ----------
    m, low, high : array
        True value and lengths of the error bars, in the same unit. They broadcast.
    rng : Generator or None
    """
    if rng is None:
        return np.array(m, dtype=float)
    low, high, m = np.broadcast_arrays(low, high, m)
    skew = np.log(high / low)
    share = np.reshape([draw_cell(_barlow_cells(each), rng) for each in skew.ravel()], m.shape)
    return m - np.sqrt(low * high) * _largest_residual(skew) * (2.0 * share - 1.0)


def draw_split_gaussian(m: Array, low: Array, high: Array, rng: np.random.Generator | None) -> Array:
    """Return data drawn from :func:`split_gaussian` at the true value ``m``, or ``m`` if ``rng`` is None.

    A datum below the true value belongs to the half of width ``high``, because m > d.

    Parameters
    ----------
    m, low, high : array
        True value and lengths of the error bars, in the same unit. They broadcast.
    rng : Generator or None
    """
    if rng is None:
        return np.array(m, dtype=float)
    low, high, m = np.broadcast_arrays(low, high, m)
    below = rng.random(m.shape) < high / (low + high)
    step = np.abs(rng.standard_normal(m.shape))
    return np.where(below, m - high * step, m + low * step)
