"""Log-likelihoods of one datum, as building blocks for probes.

Each function takes the model ``m`` and the datum ``d`` (arrays that broadcast), works on whole
batches and against the array namespace ``xp``, and obeys two rules: it never becomes positive
infinite, and it never grows as the model moves away from the datum.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from astroemu.core.array_namespace import NUMPY, Namespace

Array = Any


def gaussian(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Gaussian of the data error and an extra, model-dependent error.

    Parameters
    ----------
    m, d, sigma : array
        Model, datum and data error.
    xp : namespace
    extra : array, optional
        Further 1-sigma error, added in quadrature. Since it can depend on the parameters its
        normalisation is kept: ``-x^2 / (2 s^2) - ln(s^2 / sigma^2) / 2``.
    """
    if extra is None:
        return -0.5 * ((m - d) / sigma) ** 2
    ratio = 1.0 + (extra / sigma) ** 2
    return -0.5 * ((m - d) / sigma) ** 2 / ratio - 0.5 * xp.log(ratio)


def split_gaussian(m: Array, d: Array, low: Array, high: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Two half-Gaussians of equal height: width ``low`` below the datum and ``high`` above.

    ``low`` and ``high`` are the lengths of the lower and upper error bar. A datum quoted as
    d (+high, -low) states where the *parameter* may be, so the width is ``high`` where m > d. An
    extra error is added to both; the norm of the whole, ``low + high``, then depends on the model
    and is kept, relative to that of the data alone.
    """
    if extra is None:
        return -0.5 * ((m - d) / xp.where(m > d, high, low)) ** 2
    wide_low, wide_high = xp.sqrt(low**2 + extra**2), xp.sqrt(high**2 + extra**2)
    norm = xp.log((wide_low + wide_high) / (low + high))
    return -0.5 * ((m - d) / xp.where(m > d, wide_high, wide_low)) ** 2 - norm


def barlow_gaussian(m: Array, d: Array, low: Array, high: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Asymmetric errors by a variance linear in the residual (Barlow 2004, physics/0406120).

    ``-x^2 / (2 V)`` with ``x = m - d`` and ``V = low high + (high - low) x``. The published form
    has a pole where V vanishes and is positive beyond it; here V is held at one per cent of
    ``low high``, which leaves the likelihood unchanged up to 0.99 of the way to the pole and
    keeps it falling afterwards.
    """
    x = m - d
    if extra is not None:
        low, high = xp.sqrt(low**2 + extra**2), xp.sqrt(high**2 + extra**2)
    variance = xp.maximum(low * high + (high - low) * x, 0.01 * low * high)
    return -0.5 * x * x / variance


def marginal_upper_limit(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Power measured on top of an unknown positive systematic.

    Marginalising a systematic of flat prior [0, inf) gives ``ln Phi((d - m) / s)`` up to a constant
    (HERA Collaboration 2022, ApJ 924, 51, arXiv:2108.07282). The exact ``log_ndtr`` has no floor:
    its tail goes on as ``-x^2 / 2`` for any distance.

    Parameters
    ----------
    m, d, sigma : array
        Model (not negative), datum and data error.
    xp : namespace
    extra : array, optional
        Further *variance*, which grows with the model: ``s^2 = sigma^2 + extra``. For a negative
        datum the likelihood would rise again where ``extra`` exceeds ``sigma^2 m / |d|``; it is
        held there, which leaves everything below unchanged and keeps the likelihood falling.
    """
    if extra is None:
        return xp.log_ndtr((d - m) / sigma)
    below = np.asarray(d) < 0
    most = sigma**2 * m / np.where(below, np.abs(d), 1.0)
    extra = xp.where(below, xp.minimum(extra, most), extra)
    return xp.log_ndtr((d - m) / xp.sqrt(sigma**2 + extra))


def one_sided(m: Array, d: Array, sigma: Array, xp: Namespace, extra: Array | None = None) -> Array:
    """Flat up to ``d``, then a Gaussian tail of width ``sigma``: an upper limit with a tail."""
    width = sigma if extra is None else xp.sqrt(sigma**2 + extra**2)
    return -0.5 * (xp.maximum(m - d, 0.0) / width) ** 2


def half_normal_width(limit: Array, level: float) -> Array:
    """Width of the half-normal at zero that holds a fraction ``level`` below ``limit``.

    Reads a bare limit at a stated confidence ("x < 0.44 at 68 %") as a likelihood.
    """
    return np.asarray(limit) / (math.sqrt(2.0) * special.erfinv(level))


def log_norm_barlow(low: Array, high: Array) -> Array:
    """Logarithm of the integral of :func:`barlow_gaussian` over all data, for errors that broadcast.

    It scales with ``sqrt(low high)``; what is left depends on their ratio alone and is tabulated.
    """
    low, high = np.broadcast_arrays(low, high)
    skew = np.abs(np.log(high / low))
    table = np.linspace(0.0, max(float(skew.max(initial=0.0)), 1e-3), 65)
    mass = special.logsumexp(_barlow_cells(table), axis=-1) + np.log(2.0 * _reach(table) / _CELLS)
    return 0.5 * np.log(low * high) + np.interp(skew, table, mass)


#: Cells of equal width in which a density without a closed quantile function is tabulated.
_CELLS = 20_000


def _reach(skew: Array) -> Array:
    """Residual, in units of ``sqrt(low high)``, beyond which nothing is left for ``skew = ln(high / low)``."""
    return 30.0 * np.exp(0.5 * np.abs(skew))


def _barlow_cells(skew: Array) -> Array:
    """Log density in the middles of cells of residuals within the reach, for ``low high = 1``: ``(..., cells)``."""
    skew = np.asarray(skew)[..., None]
    residual = _reach(skew) * (2.0 * cell_middles(_CELLS) - 1.0)
    return barlow_gaussian(residual, 0.0, np.exp(-0.5 * skew), np.exp(0.5 * skew), NUMPY)


def cell_middles(n: int) -> Array:
    """Middles of ``n`` equal cells between 0 and 1."""
    return (np.arange(n) + 0.5) / n


def log_mass_of_limits(m: Array, sigma: Array, low: Array, high: Array) -> Array:
    """Logarithm of the integral of :func:`marginal_upper_limit` over data between ``low`` and ``high``.

    ``int Phi((d - m) / s) dd = s [G((high - m) / s) - G((low - m) / s)]`` with ``G(x) = x Phi(x) + phi(x)``.
    """
    upper, lower = _log_ramp((high - m) / sigma), _log_ramp((low - m) / sigma)
    return np.log(sigma) + upper + np.log1p(-np.exp(lower - upper))


def _log_ramp(x: Array) -> Array:
    """``ln [x Phi(x) + phi(x)]``, by its asymptotic series far below zero."""
    x = np.asarray(x, dtype=float)
    log_phi = -0.5 * x * x - 0.5 * math.log(2.0 * math.pi)
    near = np.maximum(x, -8.0)
    inverse = 1.0 / np.minimum(x, -8.0) ** 2
    series = np.log(inverse * (1.0 - inverse * (3.0 - inverse * (15.0 - 105.0 * inverse))))
    direct = near * special.ndtr(near) + np.exp(-0.5 * near * near) / math.sqrt(2.0 * math.pi)
    return np.where(x > -8.0, np.log(direct), log_phi + series)


def draw_cell(log_density: Array, rng: np.random.Generator) -> Array:
    """Draw a place among equal cells from a density known at their middles.

    Parameters
    ----------
    log_density : (..., cells) array
        Up to a constant a row.
    rng : Generator

    Returns
    -------
    (...) array
        Between 0 and 1: the share of the whole range, uniform within the cell.
    """
    density = np.exp(log_density - log_density.max(axis=-1, keepdims=True))
    cumulative = np.cumsum(density, axis=-1)
    wanted = rng.random(density.shape[:-1]) * cumulative[..., -1]
    cell = np.sum(cumulative <= wanted[..., None], axis=-1)
    return (np.minimum(cell, density.shape[-1] - 1) + rng.random(cell.shape)) / density.shape[-1]


def draw_barlow_gaussian(m: Array, low: Array, high: Array, rng: np.random.Generator | None) -> Array:
    """Draw data whose density at a true value ``m`` is that of :func:`barlow_gaussian`; ``m`` without a generator."""
    if rng is None:
        return np.array(m, dtype=float)
    low, high, m = np.broadcast_arrays(low, high, m)
    skew = np.log(high / low)
    share = np.reshape([draw_cell(_barlow_cells(each), rng) for each in skew.ravel()], m.shape)
    return m - np.sqrt(low * high) * _reach(skew) * (2.0 * share - 1.0)


def draw_split_gaussian(m: Array, low: Array, high: Array, rng: np.random.Generator | None) -> Array:
    """Draw data whose density at a true value ``m`` is that of :func:`split_gaussian`; ``m`` without a generator.

    A datum below the truth lies in the half of width ``high``, which is the one that holds where m > d.
    """
    if rng is None:
        return np.array(m, dtype=float)
    low, high, m = np.broadcast_arrays(low, high, m)
    below = rng.random(m.shape) < high / (low + high)
    step = np.abs(rng.standard_normal(m.shape))
    return np.where(below, m - high * step, m + low * step)
