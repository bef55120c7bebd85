"""Mock upper limits: data between zero and the published limits, from models with errors that they share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from astroemu.core.array_namespace import NUMPY
from astroemu.core.common_errors import Groups
from astroemu.core.likelihoods import cell_middles, draw_cell, log_mass_of_limits, marginal_upper_limit
from astroemu.core.typing import FloatArray

#: Number of cells between zero and the published limit, from which mock limits are drawn.
_CELLS = 1000
#: Largest amplitude of a common error, in standard deviations, and number of steps.
_FARTHEST, _AMPLITUDES = 8.0, 64
#: Drop of the log probability of an amplitude beyond which it is left out.
_DROP = 20.0
#: Number of points that are computed together.
_BATCH = 100


def draw_limits(value: FloatArray, sigma: FloatArray, most: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Return limits between zero and ``most``, each a sum of a power, noise and a systematic with a flat prior.

    Parameters
    ----------
    value, sigma, most : (bins,) array
        Power, standard deviation of the noise, and largest limit, in one unit.
    rng : Generator
    """
    d = most[:, None] * cell_middles(_CELLS)
    return np.asarray(most * draw_cell(marginal_upper_limit(value[:, None], d, sigma[:, None], NUMPY), rng))


def log_mass_of_all_limits(value: FloatArray, sigma: FloatArray, most: FloatArray) -> FloatArray:
    """Return the log integral ``(...)`` of the likelihood over all limits of :func:`draw_limits`."""
    return np.asarray(np.sum(log_mass_of_limits(value, sigma, 0.0, most), axis=-1))


@dataclass(frozen=True)
class LimitsWithCommonErrors:
    """Limits whose powers share one amplitude per group, see :mod:`astroemu.core.common_errors`.

    Attributes
    ----------
    groups : Groups
    value, mode, sigma : (n, bins) array
        Powers, their changes for an amplitude of one, and standard deviations of the noise, in one unit.
    most : (bins,) array
        Largest limits.
    """

    groups: Groups
    value: FloatArray
    mode: FloatArray
    sigma: FloatArray
    most: FloatArray

    def log_normalisation(self) -> FloatArray:
        """Return the log integral ``(n,)`` over all limits, up to a constant."""
        pieces = [slice(i, i + _BATCH) for i in range(0, len(self.value), _BATCH)]
        found = [np.zeros(0)]
        for piece in pieces:
            amplitudes, density = self._amplitudes(piece)
            step = amplitudes[..., 1] - amplitudes[..., 0]
            found.append(np.sum(logsumexp(density, axis=-1) + np.log(step), axis=-1))
        return np.concatenate(found)

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """Return limits ``(bins,)`` at the first point."""
        amplitudes, density = self._amplitudes(slice(1))
        low, high = amplitudes[0, :, 0], amplitudes[0, :, -1]
        margin = 0.5 * (high - low) / (_AMPLITUDES - 1)  # the values are midpoints
        a = low - margin + (high - low + 2 * margin) * draw_cell(density[0], rng)
        shift = [each * self.mode[0, bins] for each, bins in zip(a, self.groups.members, strict=True)]
        value = np.maximum(self.value[0] + self.groups.joined(shift), 0.0)
        return draw_limits(value, self.sigma[0], self.most, rng)

    def _amplitudes(self, piece: slice) -> tuple[FloatArray, FloatArray]:
        """Return midpoints of cells of the amplitude, and their log probabilities ``(n, groups, cells)``.

        The cells cover the probable range only, which a first, coarse pass finds.
        """
        shape = (len(self.value[piece]), len(self.groups.members), 1)
        low, high = np.full(shape, -_FARTHEST), np.full(shape, _FARTHEST)
        a, density = self._cells(piece, low, high)
        probable = density > density.max(axis=-1, keepdims=True) - _DROP
        step = a[..., 1:2] - a[..., :1]
        low = np.min(np.where(probable, a, _FARTHEST), axis=-1, keepdims=True) - step
        high = np.max(np.where(probable, a, -_FARTHEST), axis=-1, keepdims=True) + step
        return self._cells(piece, low, high)

    def _cells(self, piece: slice, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        a = low + (high - low) * cell_middles(_AMPLITUDES)
        density = -0.5 * a * a
        for group, bins in enumerate(self.groups.members):
            value, mode, sigma = (x[piece][:, None, bins] for x in (self.value, self.mode, self.sigma))
            m = np.maximum(value + a[:, group, :, None] * mode, 0.0)
            density[:, group] += log_mass_of_all_limits(m, sigma, self.most[bins])
        return a, density
