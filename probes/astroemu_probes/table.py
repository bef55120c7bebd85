"""Any observable against a table of data: errors, limits or a covariance.

The probe needs no code of its own. A configuration states the observable, its axes and the columns of a file.

    measurement d (+high, -low)     ln L = -1/2 (m - d)^2 / s^2,       s = high above the datum, low below it
    upper limit d with a tail       ln L = -1/2 max(m - d, 0)^2 / s^2, and the mirror image for a lower limit
    upper limit d at confidence c   half of a normal distribution above ``floor``, with a fraction c of it below d

The emulator's errors, and a fraction of the model, are common to all rows: they are modes, see
:mod:`astroemu.core.common_errors`. Symmetric errors and a covariance are marginalised exactly over all modes. With
other errors, the strongest mode is integrated over, and the rest is added to the errors of the data.

A limit states no datum that could be drawn. Mock data keep it as it is, and count it as the probability of its own
outcome.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.common_errors import SplitGaussians, gaussian_with_modes, marginal, principal_mode
from astroemu.core.interpolation import Outside, Rule
from astroemu.core.likelihoods import cell_middles, draw_cell, draw_split_gaussian, split_gaussian
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu_probes.table_data import MEASUREMENT, Rows, TableLayout, read_covariance, read_rows
from astroemu_probes.table_panels import table_panels
from astroemu_probes.uv_terms import split_with_mode

#: Most rows for the closed form of the integral over the amplitude; beyond, it is a quadrature.
_MOST_EXACT = 40
#: Largest amplitude of a common error in mock data, and cells between it and its mirror image.
_FARTHEST, _CELLS = 8.0, 2000


class Table(Probe):
    """One observable at the points of a table.

    Parameters
    ----------
    catalog : str
        An ECSV file, or the name of an installed catalog. Its columns have the names of the axes, and ``value``;
        ``error``, or ``err_up`` and ``err_lo``; optionally ``kind`` (``measurement``, ``upper`` or ``lower``) and
        ``cl``, the confidence of a limit without a tail.
    observable : str
        Name of the observable, such as ``x_hi``.
    unit : str
        Its unit, which is also that of the data.
    axes : dict of str to str
        Unit of each axis by its name; empty for a single number.
    columns : dict of str to str
        Other names of columns, such as ``value = "x_HI"``.
    select : dict of str to tuple of str
        Rows to use: texts by column.
    ranges : dict of str to (float, float)
        Rows to use: lowest and highest number by column, both included.
    covariance : str, optional
        An ECSV file with one column of the covariance for each row of the table, before the selection.
    covariance_columns : str
        Beginning of the names of columns of the table that hold the covariance.
    floor, ceiling : float, optional
        Least and greatest possible value, for limits without a tail.
    rule : dict of str to {"linear", "cubic", "spline"}
        Interpolation by axis.
    outside : dict of str to {"error", "hold", "half_step"}
        What happens beyond the grid, by axis.
    modelling_fraction : float
        Error of the model as a fraction of it.
    correlation : {"common", "independent"}
        Whether the errors of the model are common to all rows.
    contains : tuple of str
        Topics of the data, to find double counting.
    papers : tuple of str
        arXiv numbers to cite.
    title, latex : str
        Title of the figure, and symbol of the observable.

    Raises
    ------
    ConfigurationError
        If options do not fit together, or leave no rows.
    DataError
        If a column is missing, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName,
        observable: str,
        unit: str = "",
        axes: dict[str, str] | None = None,
        columns: dict[str, str] | None = None,
        select: dict[str, tuple[str, ...]] | None = None,
        ranges: dict[str, tuple[float, float]] | None = None,
        covariance: FileName | None = None,
        covariance_columns: str = "",
        floor: float | None = None,
        ceiling: float | None = None,
        rule: dict[str, Rule] | None = None,
        outside: dict[str, Outside] | None = None,
        modelling_fraction: float = 0.0,
        correlation: Literal["common", "independent"] = "common",
        contains: tuple[str, ...] = (),
        papers: tuple[str, ...] = (),
        title: str = "",
        latex: str = "",
    ) -> None:
        if not 0.0 <= modelling_fraction < 10.0:
            raise ConfigurationError(f"modelling_fraction = {modelling_fraction} must be in [0, 10)")
        if covariance is not None and covariance_columns:
            raise ConfigurationError("covariance and covariance_columns both give a covariance; keep one of them")
        axes = axes or {}
        for key, given in (("rule", rule or {}), ("outside", outside or {})):
            unknown = [name for name in given if name not in axes]
            if unknown:
                raise ConfigurationError(f"{key}.{unknown[0]}: there is no axis {unknown[0]!r} in `axes`")
        self.papers, self.contains = papers, frozenset(contains)
        self.observable, self.unit, self.title, self.latex = observable, unit, title or observable, latex
        self.modelling_fraction, self.common = modelling_fraction, correlation == "common"
        has_covariance = covariance is not None or bool(covariance_columns)
        layout = TableLayout(axes, unit, columns or {}, floor, ceiling, has_covariance)
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self.rows: Rows = read_rows(source, layout, select or {}, ranges or {})
        self.covariance: FloatArray | None = None
        if has_covariance:
            other = source if covariance is None else load_catalog(covariance)
            self.catalogs = (source,) if other is source else (source, other)
            self.covariance = read_covariance(other, covariance_columns, self.rows)
            sigma = np.sqrt(np.diag(self.covariance))
            self.rows = replace(self.rows, low=sigma, high=sigma, bars=(sigma, sigma))
        remedy = "Narrow `ranges`, or set `outside`"
        self._requires = {
            observable: Requirement(observable, dict(self.rows.at), unit, rule or {}, outside or {}, remedy=remedy)
        }
        self._set(self.rows.datum)

    def _set(self, datum: FloatArray) -> None:
        """Prepare the likelihood of data ``(rows,)``. It is computed in their own units, so that any unit is exact."""
        rows = self.rows
        self.datum = datum
        self._unit = np.maximum(np.abs(rows.value), rows.finite_width)
        self._d, self._low, self._high = datum / self._unit, rows.low / self._unit, rows.high / self._unit
        self._width = rows.finite_width / self._unit
        self.is_limit = np.array([kind != MEASUREMENT for kind in rows.kind])
        #: True if the marginal over all modes has a closed form.
        self._is_gaussian = not self.is_limit.any() and bool(np.all(rows.low == rows.high))
        if self.covariance is not None:
            self._scaled = self.covariance / (self._unit[:, None] * self._unit)
            #: Turns residuals into independent ones of unit variance.
            self._whiten = np.linalg.inv(np.linalg.cholesky(self._scaled)).T

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        m, modes, rest = self._model(predictions, xp)
        if modes is None:
            return self._without_errors(m, xp)
        if self._is_gaussian:
            return self._exactly(m, modes, rest, xp)
        return self._numerically(m, modes, rest, np.arange(len(self._d)), xp)

    def _model(self, predictions: Mapping[str, Prediction], xp: Namespace) -> tuple[Any, Any, Any]:
        """Return the model ``(n, s)``, its modes ``(n, r, s)`` and the variance of the rest, in units of the data."""
        prediction = predictions[self.observable]
        m = prediction.value / self._unit
        modes = rest = None
        if prediction.error is not None:
            modes, rest = prediction.shared_modes() / self._unit, prediction.independent_variance(xp)
            rest = None if rest is None else rest / self._unit**2
        if self.modelling_fraction:
            own = (self.modelling_fraction * m)[:, None, :]
            modes = own if modes is None else xp.concatenate([modes, own], axis=1)
        if modes is not None and not self.common:
            variance = xp.sum(modes**2, axis=1)
            modes, rest = 0.0 * m[:, None, :], variance if rest is None else variance + rest
        return m, modes, rest

    def _without_errors(self, m: Any, xp: Namespace) -> Any:
        if self.covariance is not None:
            return -0.5 * xp.sum(xp.matmul(m - self._d, self._whiten) ** 2, axis=-1)
        return xp.sum(split_gaussian(m, self._d, self._low, self._high, xp), axis=-1)

    def _exactly(self, m: Any, modes: Any, rest: Any, xp: Namespace) -> Any:
        """Return the log-likelihood of Gaussian data, relative to that at the data without an error of the model."""
        residual = m - self._d
        if self.covariance is None:
            variance = 0.0 * m + (self._low**2 if rest is None else self._low**2 + rest)
            return gaussian_with_modes(residual, variance, modes, xp) + float(np.sum(np.log(self._low)))
        if rest is None:
            white, modes = xp.matmul(residual, self._whiten), xp.matmul(modes, self._whiten)
            return gaussian_with_modes(white, 0.0 * m + 1.0, modes, xp)
        total = self._scaled + rest[:, :, None] * np.eye(len(self._d))
        total = total + xp.matmul(xp.transpose(modes, (0, 2, 1)), modes)
        solved = xp.solve(total, residual[:, :, None])[:, :, 0]
        norm = xp.logdet(total) - float(np.linalg.slogdet(self._scaled)[1])
        return -0.5 * (xp.sum(residual * solved, axis=-1) + norm)

    def _strongest(self, m: Any, modes: Any, rest: Any, xp: Namespace) -> tuple[Any, Any, Any]:
        """Return the strongest mode ``(n, s)``, and the lengths of the error bars with what the mode leaves."""
        if not self.common:  # there is no mode
            return 0.0 * m, *(xp.sqrt(width**2 + rest) for width in (self._low, self._high))
        mode, spare = principal_mode(modes, self._width, xp)
        if rest is not None:
            spare = rest if spare is None else spare + rest
        if spare is None:
            return mode, 0.0 * m + self._low, 0.0 * m + self._high
        return mode, *(xp.sqrt(width**2 + spare) for width in (self._low, self._high))

    def _numerically(self, m: Any, modes: Any, rest: Any, rows: Any, xp: Namespace) -> Any:
        """Return the log-likelihood of some rows, with one amplitude for the strongest mode."""
        m, mode, low, high = (xp.take(each, rows) for each in (m, *self._strongest(m, modes, rest, xp)))
        measured = np.where(self.is_limit[rows], 0.0, 1.0)
        norm = xp.sum(measured * xp.log((low + high) / (self._low + self._high)[rows]), axis=-1)
        terms = SplitGaussians(self._d[rows][None, None, :], low[:, None, None, :], high[:, None, None, :])
        integral = split_with_mode if len(rows) <= _MOST_EXACT else marginal
        return integral(terms, m[:, None, :], mode[:, None, :], xp) - norm

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with drawn measurements. Limits stay."""
        if self.is_limit.all():
            raise NotImplementedError("limits state no datum that could be drawn, and the table has nothing else")
        m, modes, rest = self._model(predictions, NUMPY)
        mock = copy.copy(self)
        mock._set(self._unit * np.where(self.is_limit, self._d, self._drawn(m, modes, rest, rng)))
        return mock

    def _drawn(self, m: FloatArray, modes: Any, rest: Any, rng: np.random.Generator | None) -> FloatArray:
        """Return data ``(rows,)`` in their units, for one point."""
        if rng is None:
            return m[0].copy()
        if self._is_gaussian:
            shift = np.zeros(len(self._d)) if modes is None else rng.standard_normal(modes.shape[1]) @ modes[0]
            covariance = np.diag(self._low**2) if self.covariance is None else self._scaled
            covariance = covariance if rest is None else covariance + np.diag(rest[0])
            return m[0] + shift + np.linalg.cholesky(covariance) @ rng.standard_normal(len(self._d))
        if modes is None:
            return draw_split_gaussian(m[0], self._low, self._high, rng)
        mode, low, high = (each[0] for each in self._strongest(m, modes, rest, NUMPY))
        return draw_split_gaussian(m[0] + self._amplitude(m[0], mode, low, high, rng) * mode, low, high, rng)

    def _amplitude(
        self, m: FloatArray, mode: FloatArray, low: FloatArray, high: FloatArray, rng: np.random.Generator
    ) -> float:
        """Return a common amplitude, drawn from N(0, 1) times the probability of the limits."""
        a = _FARTHEST * (2.0 * cell_middles(_CELLS) - 1.0)
        rows = self.is_limit
        each = split_gaussian((m + a[:, None] * mode)[:, rows], self._d[rows], low[rows], high[rows], NUMPY)
        return float(_FARTHEST * (2.0 * draw_cell(np.sum(each, axis=1) - 0.5 * a * a, rng) - 1.0))

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the log-likelihood of the limits, which mock data keep."""
        m, modes, rest = self._model(predictions, NUMPY)
        rows = np.flatnonzero(self.is_limit)
        if not len(rows):
            return np.zeros(len(m))
        if modes is None:
            each = split_gaussian(m, self._d, self._low, self._high, NUMPY)
            return np.sum(each[:, rows], axis=-1)
        return self._numerically(m, modes, rest, rows, NUMPY)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the rows in use, and their covariance as columns of the same file."""
        table = self.rows.table.copy()
        measured = ~self.is_limit
        table[self.rows.columns["value"]][measured] = self.datum[measured]
        options: dict[str, Any] = {"catalog": f"{name}.ecsv"}
        if self.covariance is not None:
            prefix = "cov_"
            while any(column.startswith(prefix) for column in table.colnames):
                prefix = f"mock_{prefix}"
            for j, column in enumerate(self.covariance.T):
                table[f"{prefix}{j + 1}"] = column
                table[f"{prefix}{j + 1}"].description = f"covariance with row {j + 1}"
                table[f"{prefix}{j + 1}"].unit = self.rows.covariance_unit or None
            options |= {"covariance_columns": prefix}
        write_table(folder / f"{name}.ecsv", table)
        return options

    def panels(self) -> tuple[Panel, ...]:
        """Return panels along the last axis, one for each place on the others."""
        return table_panels(self)
