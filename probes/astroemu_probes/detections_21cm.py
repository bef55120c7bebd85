"""Gaussian likelihood of 21-cm power spectra, with errors that the fields of a band share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu_probes.spectra_21cm import Field


def log_likelihood_of_detections(fields: Sequence[Field], m: Any, extra: Any, modes: Any, xp: Namespace) -> Any:
    """Return the Gaussian log-likelihood ``(n,)`` of all fields.

    It is normalised relative to the covariance of the data, so that ln L(m = d) = 0 without errors.

    Parameters
    ----------
    fields : sequence of Field
    m : (n, bins) array
        Model, in the order of the fields.
    extra : (n, bins) array or None
        Variance of independent errors.
    modes : (n, r, bins) array or None
        Common errors. The fields of a band share their amplitudes.
    xp : namespace
    """
    total: Any = 0.0
    starts = np.cumsum([0, *(len(f.k) for f in fields)])
    for band in dict.fromkeys(f.band for f in fields):
        parts = [(f, slice(i, i + len(f.k))) for f, i in zip(fields, starts, strict=False) if f.band == band]
        total = total + _of_one_band(parts, m, extra, modes, xp)
    return total


def _of_one_band(fields: list[tuple[Field, slice]], m: Any, extra: Any, modes: Any, xp: Namespace) -> Any:
    """Return the log-likelihood of the fields of a band, by the identity of :func:`gaussian_with_modes`."""
    total: Any = 0.0
    gram: Any = 0.0
    pull: Any = 0.0
    pieces = []
    for f, part in fields:
        residual = (m[:, part] - f.delta2)[:, :, None]
        covariance = f.covariance if extra is None else f.covariance + extra[:, part, None] * np.eye(len(f.k))
        batch = covariance + 0.0 * residual  # one matrix per point
        if extra is not None:
            total = total - 0.5 * (xp.logdet(covariance) - np.linalg.slogdet(f.covariance)[1])
        u = None if modes is None else modes[:, :, part]
        pieces.append((batch, residual, u))
        if u is not None:
            weighted = xp.transpose(xp.solve(batch, xp.transpose(u, (0, 2, 1))), (0, 2, 1))
            gram = gram + xp.matmul(weighted, xp.transpose(u, (0, 2, 1)))
            pull = pull + xp.matmul(weighted, residual)
    if modes is None:
        return total + sum(_chi2_term(batch, residual, xp) for batch, residual, _ in pieces)
    a = gram + np.eye(modes.shape[1])
    amplitudes = xp.solve(a, pull)
    for batch, residual, u in pieces:
        # A quadratic form: r^T C^-1 r minus what the modes explain has no digits left far from the data.
        left = residual - xp.sum(u * amplitudes, axis=1)[:, :, None]
        total = total + _chi2_term(batch, left, xp)
    return total - 0.5 * (xp.sum(amplitudes * amplitudes, axis=(1, 2)) + xp.logdet(a))


def _chi2_term(covariance: Any, residual: Any, xp: Namespace) -> Any:
    """Return ``-r^T C^-1 r / 2`` of residuals ``(n, bins, 1)``."""
    return -0.5 * xp.sum(residual * xp.solve(covariance, residual), axis=(1, 2))
