"""The likelihood of the bins of luminosity functions, some of whose errors are common to the bins of a field.

A *field* is one reference and redshift. Its cosmic variance has one amplitude. Fields with Gaussian errors share the
amplitudes of the emulator, and are marginalised exactly. Other fields are marginalised numerically, each over one
amplitude of its own: the strongest of its common errors. The others are added to the independent errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.common_errors import Groups, SplitGaussians, gaussian_with_modes, principal_mode
from astroemu.core.likelihoods import (
    barlow_gaussian,
    draw_barlow_gaussian,
    draw_split_gaussian,
    gaussian,
    log_norm_barlow,
    split_gaussian,
)
from astroemu.core.typing import FloatArray
from astroemu_probes.uv_terms import Counts, highest, poisson, split_with_mode

#: Treatment of asymmetric errors.
Errors = Literal["split", "symmetric", "barlow", "log_split"]
#: Width without a penalty.
NO_WIDTH = 1e100
_TINY = 1e-60
#: Density [1/Mpc^3/mag] above which relative errors no longer grow, far beyond all data: matrices stay invertible.
DENSEST = 10.0
_RANK_OF_MODES = 3


@dataclass(frozen=True, eq=False)
class Density:
    """The model's number density and its errors.

    Attributes
    ----------
    phi : (n, bins) array
        In the unit of the data.
    modes : (n, r, bins) array or None
        Errors that all bins share.
    rest : (n, bins) array or None
        Variance of the independent errors.
    """

    phi: Any
    modes: Any = None
    rest: Any = None

    def of(self, rows: Any, xp: Namespace) -> Density:
        """Return the density of some bins."""
        parts = (self.phi, self.modes, self.rest)
        return Density(*(None if part is None else _taken(part, rows, xp) for part in parts))


@dataclass(frozen=True, eq=False)
class Bins:
    """Data and errors of bins, and how they are combined.

    Attributes
    ----------
    d, low, high : (bins,) array
        Data and error bars in phi, or in ln phi for ``log_split``. Not used for counts.
    counts, rate : (bins,) array
        Numbers of galaxies, and the expected number per density. Not used for measurements.
    is_count : (bins,) array of bool
    fields : sequence of str
        The field of each bin.
    errors : str
        See :data:`Errors`.
    common : bool
        False if each bin has cosmic variance and emulator's errors of its own.
    cosmic_variance : float
        Relative error of each field.
    """

    d: FloatArray
    low: FloatArray
    high: FloatArray
    counts: FloatArray
    rate: FloatArray
    is_count: Any
    fields: Sequence[str]
    errors: Errors
    common: bool
    cosmic_variance: float

    @cached_property
    def _measured(self) -> Any:
        return np.flatnonzero(~self.is_count)

    @cached_property
    def _counted(self) -> Any:
        return np.flatnonzero(self.is_count)

    @cached_property
    def _grouped(self) -> Any:
        """Bins that are marginalised numerically."""
        if not self.common:
            return self._counted
        other = self.is_count | (self.low != self.high) | self._log
        found = {field for field, is_other in zip(self.fields, other, strict=True) if is_other}
        return np.flatnonzero([field in found for field in self.fields])

    @cached_property
    def _exact(self) -> Any:
        """Bins of fields with Gaussian errors."""
        return np.setdiff1d(np.arange(len(self.d)), self._grouped)

    @cached_property
    def _same_field(self) -> FloatArray:
        """Which of the bins in :attr:`_exact` belong to each field, ``(fields, bins)``."""
        names = np.array([self.fields[i] for i in self._exact])
        return (names == np.array(list(dict.fromkeys(names.tolist())))[:, None]).astype(float)

    @cached_property
    def _groups(self) -> Groups:
        return Groups([self.fields[i] if self.common else str(i) for i in self._grouped])

    @cached_property
    def _of_groups(self) -> tuple[Any, ...]:
        """Data, error bars, counts and rates in groups, ``(g, 1, s)`` each."""
        rows = self._grouped
        low, high = (np.where(self.is_count, NO_WIDTH, width)[rows] for width in (self.low, self.high))
        arrays = (np.where(self.is_count, 0.0, self.d)[rows], low, high, self.counts[rows], self.rate[rows])
        fills = (0.0, NO_WIDTH, NO_WIDTH, 0.0, 0.0)
        return tuple(self._groups.of_terms(array, fill, NUMPY) for array, fill in zip(arrays, fills, strict=True))

    @cached_property
    def _scales(self) -> FloatArray:
        """Errors of the grouped bins, by which common errors are compared, ``(g, s)``; zero for no bin."""
        one = 1.0 if self._log else 1.0 / np.where(self.is_count, self.rate, 1.0)
        scale = np.where(self.is_count, one, 0.5 * (self.low + self.high))[self._grouped]
        return np.where(self._groups.is_real, scale[self._groups.index], 0.0)

    @property
    def _log(self) -> bool:
        return self.errors == "log_split"

    def log_likelihood(self, model: Density, xp: Namespace) -> Any:
        """Return the log-likelihood ``(n,)``."""
        if model.modes is None and not self.cosmic_variance:
            return self._apart(model.phi, None, xp) + self._of_counts(model.phi, xp)
        total: Any = 0.0
        if not self.common:
            extra = self._total_error(model, xp)
            total = self._apart(model.phi, extra, xp)
            model = Density(model.phi, extra[:, None, :])
        elif len(self._exact):
            total = self._exactly(model, xp)
        return total + self._numerically(model, xp) if len(self._grouped) else total

    def _total_error(self, model: Density, xp: Namespace) -> Any:
        """Return the total error of each bin, ``(n, bins)``."""
        if model.modes is not None and model.modes.shape[1] == 1 and not self.cosmic_variance and model.rest is None:
            return model.modes[:, 0, :]
        variance = xp.sum(self._with_cosmic_variance(model, xp) ** 2, axis=1)
        return xp.sqrt(variance if model.rest is None else variance + model.rest)

    def _with_cosmic_variance(self, model: Density, xp: Namespace) -> Any:
        """Return the modes of the emulator and that of cosmic variance, ``(n, r, bins)``."""
        variance = (self.cosmic_variance * xp.minimum(model.phi, DENSEST))[:, None, :]
        if model.modes is None:
            return variance
        return xp.concatenate([model.modes, variance], axis=1) if self.cosmic_variance else model.modes

    def _apart(self, phi: Any, extra: Any, xp: Namespace) -> Any:
        """Return the log-likelihood of measurements with independent errors, in the published forms."""
        rows = self._measured
        d, low, high = self.d[rows], self.low[rows], self.high[rows]
        m = _taken(phi, rows, xp)
        extra = None if extra is None else _taken(extra, rows, xp)
        if self.errors == "symmetric":
            return xp.sum(gaussian(m, d, low, xp, extra), axis=-1)
        if self._log:
            m, extra = xp.log(m), None if extra is None else extra / m
        form = barlow_gaussian if self.errors == "barlow" else split_gaussian
        return xp.sum(form(m, d, low, high, xp, extra), axis=-1)

    def _of_counts(self, phi: Any, xp: Namespace) -> Any:
        rows = self._counted
        return xp.sum(poisson(xp.log(_taken(phi, rows, xp)), self.counts[rows], self.rate[rows], xp), axis=-1)

    def _exactly(self, model: Density, xp: Namespace) -> Any:
        """Return the log-likelihood of the fields with Gaussian errors."""
        part, sigma = model.of(self._exact, xp), self.low[self._exact]
        modes = part.modes
        if self.cosmic_variance:
            fields = (self.cosmic_variance * xp.minimum(part.phi, DENSEST))[:, None, :] * self._same_field
            modes = fields if modes is None else xp.concatenate([modes, fields], axis=1)
        variance = sigma**2 + (0.0 * part.phi if part.rest is None else part.rest)
        return gaussian_with_modes(part.phi - self.d[self._exact], variance, modes, xp) + np.sum(np.log(sigma))

    def _numerically(self, model: Density, xp: Namespace) -> Any:
        """Return the log-likelihood of the other fields."""
        terms, m, mode = self._terms(model, xp)
        if len(self._counted):
            found = self._with_counts(terms, m, mode, xp).marginal(xp) + np.sum(highest(self.counts, self.rate))
        else:
            found = split_with_mode(terms, m, mode, xp)
        _, low, high, *_ = self._of_groups
        if terms.low is low:
            return found
        return found - xp.sum(xp.log((terms.low + terms.high) / (low + high)), axis=(1, 2, 3))

    def _terms(self, model: Density, xp: Namespace) -> tuple[SplitGaussians, Any, Any]:
        """Return the measurements of the grouped bins, and the model and common error of all, ``(n, g, s)`` each."""
        part, groups = model.of(self._grouped, xp), self._groups
        modes = self._with_cosmic_variance(part, xp)
        m, rest = part.phi, part.rest
        if self._log:
            m, modes, rest = xp.log(m), modes / m[:, None, :], None if rest is None else rest / m**2
        m = groups.of_models(m, xp)
        mode, spare = self._strongest(modes, xp)
        if rest is not None:
            rest = groups.of_models(rest, xp)
            spare = rest if spare is None else spare + rest
        d, low, high, _, rate = self._of_groups
        if spare is not None:
            low, high = (xp.sqrt(width**2 + spare[:, :, None, :]) for width in (low, high))
            if len(self._counted):  # they have no width: the independent errors are added to their common one
                mode = xp.where(rate[:, 0, :] > 0, mode * xp.sqrt(1.0 + spare / (mode * mode + _TINY)), mode)
        return SplitGaussians(d, low, high), m, mode

    def _with_counts(self, terms: SplitGaussians, m: Any, mode: Any, xp: Namespace) -> Counts:
        *_, counts, rate = self._of_groups
        m, mode, is_count = m[:, :, None, :], mode[:, :, None, :], rate > 0
        # A bin that is no count has the density 1 at all amplitudes, so that nothing overflows.
        phi = xp.where(is_count, m, 0.0 if self._log else 1.0)
        slope = xp.where(is_count, mode, 0.0)
        log_phi, slope = (phi, slope) if self._log else (xp.log(phi), slope / phi)
        return Counts(terms, m, mode, counts, rate, log_phi, slope)

    def _strongest(self, modes: Any, xp: Namespace) -> tuple[Any, Any]:
        """Return the strongest of the modes ``(n, r, bins)`` in each group, and the variance of the others or None."""
        groups, (g, s), r = self._groups, self._groups.index.shape, modes.shape[1]
        if r == 1:
            return groups.of_models(modes[:, 0, :], xp), None
        scale = self._scales
        each = groups.of_models(xp.reshape(modes, (-1, modes.shape[2])), xp) / np.where(scale > 0, scale, np.inf)
        each = xp.reshape(xp.transpose(xp.reshape(each, (-1, r, g, s)), (0, 2, 1, 3)), (-1, r, s))
        mode, others = principal_mode(each, np.ones(s), xp)
        return xp.reshape(mode, (-1, g, s)) * scale, xp.reshape(others, (-1, g, s)) * scale**2

    def simulate(self, model: Density, rng: np.random.Generator | None) -> tuple[FloatArray, FloatArray]:
        """Return data ``(bins,)`` in the unit of :attr:`d`, and counts, drawn for one point.

        Without ``rng``, they are the model itself.
        """
        phi, low, high = self._drawn(model, rng)
        expected = np.where(self.is_count, self.rate * phi, 0.0)
        draw = draw_barlow_gaussian if self.errors == "barlow" else draw_split_gaussian
        rows, d = self._measured, np.zeros(len(phi))
        d[rows] = draw((np.log(phi) if self._log else phi)[rows], low[rows], high[rows], rng)
        return d, expected if rng is None else rng.poisson(expected).astype(float)

    def _drawn(self, model: Density, rng: np.random.Generator | None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return phi ``(bins,)`` with its common errors drawn, and the error bars with the independent ones."""
        phi, low, high = model.phi[0].copy(), self.low.copy(), self.high.copy()
        if rng is None or (model.modes is None and not self.cosmic_variance):
            return phi, low, high
        if not self.common:
            extra = self._total_error(model, NUMPY)
            wide = extra[0] / phi if self._log else extra[0]
            low, high, model = np.hypot(low, wide), np.hypot(high, wide), Density(model.phi, extra[:, None, :])
        elif len(rows := self._exact):
            shift = self.cosmic_variance * phi[rows] * (rng.standard_normal(len(self._same_field)) @ self._same_field)
            part = model.of(rows, NUMPY)
            if part.modes is not None:
                shift = shift + rng.standard_normal(part.modes.shape[1]) @ part.modes[0]
            if part.rest is not None:
                low[rows] = high[rows] = np.sqrt(low[rows] ** 2 + part.rest[0])
            phi[rows] += shift
        if len(self._grouped):
            self._draw_grouped(model, rng, phi, low, high)
        return phi, low, high

    def _draw_grouped(
        self, model: Density, rng: np.random.Generator, phi: FloatArray, low: FloatArray, high: FloatArray
    ) -> None:
        """Replace the density and the error bars of the grouped bins."""
        terms, m, mode = self._terms(model, NUMPY)
        a = rng.standard_normal((len(m[0]), 1))
        moved = m[0] + a * mode[0]
        if self._log:
            moved = np.exp(moved)
        elif len(self._counted):
            counts = self._with_counts(terms, m, mode, NUMPY)
            positive = np.exp(counts.log_phi + a[:, :, None] * counts.slope)[0, :, 0]
            moved = np.where(counts.rate[:, 0, :] > 0, positive, moved)
        for target, source in ((phi, moved), (low, terms.low), (high, terms.high)):
            parts = np.broadcast_to(np.reshape(source, (-1, moved.shape[1])), moved.shape)
            sizes = map(len, self._groups.members)
            target[self._grouped] = self._groups.joined([row[:n] for row, n in zip(parts, sizes, strict=True)])

    def log_normalisation(self, model: Density) -> Any:
        """Return the log integral of the likelihood over all data, ``(n,)``; zero except for ``barlow``."""
        if self.errors != "barlow":
            return np.zeros(len(model.phi))
        low, high = self.low, self.high
        if model.modes is not None or self.cosmic_variance:
            extra = self._total_error(model, NUMPY)
            low, high = np.hypot(low, extra), np.hypot(high, extra)
        # The first row has the largest asymmetry, which sets the table of the integrals.
        rows = (
            np.vstack([own, np.broadcast_to(width, model.phi.shape)])
            for own, width in ((self.low, low), (self.high, high))
        )
        return np.sum(log_norm_barlow(*(each[:, self._measured] for each in rows)), axis=-1)[1:]


def _taken(values: Any, rows: Any, xp: Namespace) -> Any:
    """Return some columns of ``(n, bins)`` or ``(n, r, bins)``."""
    if len(rows) == values.shape[-1]:
        return values
    if len(values.shape) < _RANK_OF_MODES:
        return xp.take(values, rows)
    flat = xp.take(xp.reshape(values, (-1, values.shape[-1])), rows)
    return xp.reshape(flat, (-1, values.shape[1], len(rows)))
