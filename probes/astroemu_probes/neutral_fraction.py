"""Volume-averaged neutral hydrogen fraction x_HI(z).

Measurements are two half-Gaussians. An upper limit with a tail is flat below the limit and Gaussian above it:

    ln L = -1/2 [max(x_HI(z) - x, 0) / s]^2,        s^2 = sigma^2 + e^2

An example is x_HI(6.043) < 0.199 + 0.087, from dark pixels (Davies+26, arXiv:2510.25829), the default. The same
paper has x_HI(5.831) < 0.191 + 0.056, which is below the lowest redshift of the shipped emulator. McGreer+15 (x_HI(5.9)
< 0.06 + 0.05, arXiv:1411.5375) is tighter than these newer data. A lower limit is the mirror
image of an upper limit. A bare limit at confidence c becomes a half-normal with a fraction c of its mass inside the
limit. It peaks at 0 for an upper limit and at 1 for a lower limit. ``e`` is the emulator's error. x_HI(z) is linear
between redshift nodes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.special import logsumexp

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_table
from astroemu.core.columns import NumberColumn, TextColumn, warn_of_repeated_rows, where
from astroemu.core.likelihoods import (
    cell_middles,
    draw_cell,
    draw_split_gaussian,
    half_normal_width,
    one_sided,
    split_gaussian,
)
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.io.paths import FileName
from astroemu_probes.papers import rows_of_papers

_ERROR = NumberColumn(above=0, needed=where(kind="measurement"))
_COLUMNS = {
    "z": NumberColumn(above=0),
    "x_HI": NumberColumn(),
    "err_up": _ERROR,
    "err_lo": _ERROR,
    "kind": TextColumn(choices=("measurement", "upper", "lower")),
    "cl": NumberColumn(above=0, below=1, needed=False),
    "method": TextColumn(needed=False),
    "reference": TextColumn(),
    "arxiv": TextColumn(needed=False),
}
#: Columns of which two rows that are equal are the same measurement.
_MEASUREMENT = ("reference", "z", "x_HI", "err_up", "err_lo", "kind", "method")
#: Largest size of a measurement. A larger number is no fraction, but perhaps a percentage.
_LARGEST = 5.0
#: A limit may be so far outside 0 and 1: mock data have the values of an emulator.
_SLACK = 0.05
#: Number of cells between 0 and 1, from which mock limits are drawn.
_CELLS = 400
#: Topics for the methods that other data sets already include.
_TOPICS = {
    "dark pixels": "quasar dark fraction",
    "dark pixels (negative-pixel method)": "quasar dark fraction",
    "Lya forest opacity CDF": "Lyman-alpha forest opacity",
}


class NeutralFraction(Probe):
    """Measurements of the neutral fraction at given redshifts.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns.
    references : tuple of str
        Papers to use. By default the newest limit from dark pixels.
    z_min, z_max : float
        Range of redshifts, both included.

    Raises
    ------
    ConfigurationError
        If a reference is not in the catalog, or if the redshift range leaves no data of a reference.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "neutral_fraction",
        references: tuple[str, ...] = ("Davies+2026",),
        z_min: float = 5.9,
        z_max: float = float("inf"),
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = _read(source)
        keep = rows_of_papers(table, source.name, references, z_min, z_max)
        warn_of_repeated_rows(table, _MEASUREMENT, keep, source.name)
        table = table[keep]
        table.sort("z")
        self.papers = tuple(dict.fromkeys(str(number) for number in table["arxiv"] if number))
        self.kind = tuple(str(kind) for kind in table["kind"])
        self.contains = frozenset(_TOPICS[method] for method in table["method"] if method in _TOPICS)
        self.z, self.x_hi = (np.asarray(table[name], dtype=float) for name in ("z", "x_HI"))
        self._split_by_kind(table)
        self._requires = {
            "x_hi": Requirement(
                "x_hi",
                at={"z": self.z},
                # The lowest node of grids based on 21cmFAST is often 5.9006, just above z = 5.9.
                outside={"z": "half_step"},
                remedy="Move z_min and z_max to leave these data out",
            )
        }

    def _split_by_kind(self, table: Any) -> None:
        """Store every row in one form: flat between ``floor`` and ``ceiling``, with Gaussian tails outside."""
        self._table = table
        self._up, self._low, level = (np.asarray(table[name], dtype=float) for name in ("err_up", "err_lo", "cl"))
        self._level_width = np.array([half_normal_width(1.0, c) for c in level])
        self._two_sided = np.array(self.kind) == "measurement"
        self._bars = (np.where(self._two_sided, self._low, 0.0), np.where(self._two_sided, self._up, 0.0))
        self._set(self.x_hi)

    def _set(self, x_hi: FloatArray) -> None:
        """Set the data to the values ``(rows,)``."""
        self.x_hi = x_hi
        self._floor, self._ceiling, self._sigma_low, self._sigma_up = self._form(x_hi)

    def _form(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return floor, ceiling and the widths of the tails below and above, for data ``(..., rows)``."""
        kind = np.array(self.kind)
        bare_up, bare_low = (kind == "upper") & np.isnan(self._up), (kind == "lower") & np.isnan(self._low)
        ceiling = np.where(kind == "lower", 1.0, np.where(bare_up, 0.0, x))
        floor = np.where(kind == "upper", 0.0, np.where(bare_low, 1.0, x))
        above = np.where(kind == "lower", 1.0, np.where(bare_up, x * self._level_width, self._up))
        below = np.where(kind == "upper", 1.0, np.where(bare_low, (1 - x) * self._level_width, self._low))
        return floor, ceiling, below, above

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        x, error = predictions["x_hi"].value, predictions["x_hi"].error
        if self._two_sided.all():
            return xp.sum(self._measured(x, error, xp), axis=-1)
        limits = self._limits(x, (self._floor, self._ceiling, self._sigma_low, self._sigma_up), error, xp)
        if self._two_sided.any():
            limits = xp.where(self._two_sided, self._measured(x, error, xp), limits)
        return xp.sum(limits, axis=-1)

    def _measured(self, x: Any, error: Any, xp: Namespace) -> Any:
        return split_gaussian(x, self.x_hi, self._sigma_low, self._sigma_up, xp, error)

    @staticmethod
    def _limits(x: Any, form: tuple[Any, Any, Any, Any], error: Any, xp: Namespace) -> Any:
        floor, ceiling, below, above = form
        return one_sided(x, ceiling, above, xp, error) + one_sided(-x, -floor, below, xp, error)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same rows for another sky.

        A limit is drawn between 0 and 1. Without noise, a limit with a tail is the truth. A bare limit is then
        unchanged.
        """
        x, error = predictions["x_hi"].value[0], predictions["x_hi"].error
        extra = np.zeros_like(x) if error is None else error[0]
        low, high = np.hypot(self._sigma_low, extra), np.hypot(self._sigma_up, extra)
        drawn = draw_split_gaussian(x, low, high, rng)
        if rng is not None:
            drawn = np.where(
                self._two_sided, drawn, draw_cell(self._log_density_of_limits(x[None], extra[None])[0], rng)
            )
        elif not self._two_sided.all():
            bare = np.isnan(np.where(np.array(self.kind) == "upper", self._up, self._low))
            drawn = np.where(bare, self.x_hi, drawn)
        mock = copy.copy(self)
        mock._set(drawn)
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return zero for measurements, or the log integral over limits between 0 and 1."""
        x, error = predictions["x_hi"].value, predictions["x_hi"].error
        parts = [
            logsumexp(self._log_density_of_limits(x[i : i + 1000], None if error is None else error[i : i + 1000]), -1)
            for i in range(0, len(x), 1000)
        ]
        return np.sum(np.where(self._two_sided, 0.0, np.concatenate(parts)), axis=-1) if parts else np.zeros(0)

    def _log_density_of_limits(self, x: FloatArray, error: FloatArray | None) -> FloatArray:
        """Return log-likelihoods ``(n, rows, cells)`` of limits between 0 and 1, at true values ``(n, rows)``."""
        limit = np.repeat(cell_middles(_CELLS)[:, None], len(self.kind), axis=1)
        extra = None if error is None else error[:, None, :]
        return np.moveaxis(self._limits(x[:, None, :], self._form(limit), extra, NUMPY), 1, 2)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the rows in use."""
        table = self._table.copy()
        table["x_HI"] = self.x_hi
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel of x_HI(z) with all data."""
        z = np.linspace(min(6.0, self.z.min() + 0.01), max(12.0, self.z.max()), 100)
        z = z[z >= self.z.min()]
        return (
            Panel(
                title="Neutral fraction",
                x_label=r"$z$",
                y_label=r"$\bar{x}_{\rm HI}$",
                x=self.z,
                y=self.x_hi,
                error_low=self._bars[0],
                error_high=self._bars[1],
                kind=self.kind,  # type: ignore[arg-type]
                curve=Requirement("x_hi", at={"z": z}, outside={"z": "half_step"}),
                curve_x=z,
            ),
        )


def _read(source: Catalog) -> Any:
    table = source.table(_COLUMNS)
    kind, x_hi = np.asarray(table["kind"]), np.asarray(table["x_HI"])
    limit, upper = kind != "measurement", kind == "upper"
    bare = limit & np.isnan(np.where(upper, table["err_up"], table["err_lo"]))
    for wrong, what in (
        (limit & (np.abs(x_hi - 0.5) > 0.5 + _SLACK), "a limit on x_HI must lie between 0 and 1"),
        (np.abs(x_hi) > _LARGEST, "x_HI is a fraction, not a percentage"),
        (bare & np.where(upper, x_hi <= 0, x_hi >= 1), "a limit without a tail must leave a range of x_HI"),
        (bare & np.isnan(table["cl"]), "a limit without a tail needs its confidence in the column 'cl', such as 0.68"),
    ):
        source.refuse_rows(table, wrong, what)
    return table
