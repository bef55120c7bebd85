"""Power of the patchy kinetic Sunyaev-Zeldovich effect at l = 3000.

    measurement d (+high, -low):  two half-Gaussians of the widths s_high and s_low
    limit at confidence c:        a Gaussian at zero, with a fraction c of its positive half below the limit
    s^2 = sigma^2 + (f D)^2 + e^2

``D`` is the observable ``d_pksz`` of the derived quantity ``patchy_ksz``, which states the fit in midpoint and duration
of reionization. ``f`` is the scatter of that fit, and ``e`` the emulator's error.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.columns import NumberColumn, TextColumn, where
from astroemu.core.likelihoods import draw_split_gaussian, half_normal_width, split_gaussian
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, closest, listing
from astroemu.io.paths import FileName

_UNIT, _ELL = "uK2", 3000.0
_ERROR = NumberColumn(_UNIT, above=0, needed=where(kind="measurement"))
_COLUMNS = {
    "ell": NumberColumn(above=0),
    "d_pksz": NumberColumn(_UNIT),
    "err_up": _ERROR,
    "err_lo": _ERROR,
    "kind": TextColumn(choices=("measurement", "upper")),
    "cl": NumberColumn(above=0, below=1, needed=where(kind="upper")),
    "reference": TextColumn(),
    "arxiv": TextColumn(needed=False),
}


class PatchyKsz(Probe):
    """One value or limit of the patchy kSZ power.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``ell``, ``d_pksz``, ``err_up``, ``err_lo``,
        ``kind`` and ``reference``; a limit needs ``cl``.
    reference : str
        Paper to use.
    fit_scatter : float
        ``f``: relative error of the fit. No value is published; the default is an assumption.

    Raises
    ------
    ConfigurationError
        If the reference does not name exactly one row, or ``fit_scatter`` is out of its range.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    contains = frozenset({"high-l kSZ of the South Pole Telescope"})

    def __init__(
        self, catalog: FileName = "patchy_ksz", reference: str = "Gorce+2022", fit_scatter: float = 0.2
    ) -> None:
        if not 0.0 <= fit_scatter < 10.0:
            raise ConfigurationError(f"fit_scatter = {fit_scatter} must be in [0, 10)")
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        source.refuse_rows(table, np.asarray(table["ell"]) != _ELL, f"the fit holds at l = {_ELL:g} only")
        limit = np.asarray(table["kind"] == "upper")
        source.refuse_rows(table, limit & (np.asarray(table["d_pksz"]) <= 0), "an upper limit must be above 0")
        self._row = _of_reference(table, source.name, reference)
        self.papers = tuple(str(number) for number in self._row["arxiv"] if number)
        self.data, self.error_low, self.error_high = _form(self._row)
        self.reference, self._scatter = reference, fit_scatter
        self._requires = {"d_pksz": Requirement("d_pksz", unit=_UNIT)}

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        power = predictions["d_pksz"].value
        extra = self._extra(predictions["d_pksz"], xp)
        return xp.sum(split_gaussian(power, self.data, self.error_low, self.error_high, xp, extra), axis=-1)

    def _extra(self, model: Prediction, xp: Namespace) -> Any:
        """Return the error ``(n, 1)`` of the model."""
        scatter = self._scatter * xp.abs(model.value)
        return scatter if model.error is None else xp.sqrt(scatter**2 + model.error**2)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with a measurement of another sky. A limit becomes a measurement with its error."""
        model = predictions["d_pksz"]
        extra = self._extra(model, NUMPY)[0, 0]
        low, high = (np.hypot(side, extra) for side in (self.error_low, self.error_high))
        mock = copy.copy(self)
        mock.data = float(draw_split_gaussian(model.value[0, 0], low, high, rng))
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the row in use, as a measurement."""
        table = self._row.copy()
        table["kind"] = np.array(["measurement"])
        for column, value in (("d_pksz", self.data), ("err_up", self.error_high), ("err_lo", self.error_low)):
            table[column][:] = value
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv", "reference": self.reference}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with the posterior of the power and the measurement."""
        return (
            Panel(
                title=f"Patchy kSZ power ({self.reference})",
                x_label=r"$D_{3000}^{\rm pkSZ}$ [$\mu$K$^2$]",
                y_label="posterior density",
                x=np.zeros(1),
                y=np.array([self.data]),
                error_low=np.array([self.error_low]),
                error_high=np.array([self.error_high]),
                kind=(MEASUREMENT,),
                curve=Requirement("d_pksz", unit=_UNIT),
            ),
        )


def _form(row: Any) -> tuple[float, float, float]:
    """Return datum and errors of a row. A limit is a measurement of zero."""
    value, up, low, cl = (float(row[name][0]) for name in ("d_pksz", "err_up", "err_lo", "cl"))
    if row["kind"][0] == "measurement":
        return value, low, up
    width = float(half_normal_width(np.array(value), cl))
    return 0.0, width, width


def _of_reference(table: Any, name: str, reference: str) -> Any:
    """Return the one row of a reference."""
    names = np.asarray(table["reference"], dtype=str)
    known = sorted(set(names.tolist()))
    if reference not in known:
        raise ConfigurationError(
            f"reference = {reference!r} is not in {name!r}.{closest(reference, known)} It has {listing(known)}"
        )
    if np.sum(names == reference) > 1:
        raise ConfigurationError(f"reference = {reference!r} has several rows in {name!r}; keep one of them")
    return table[names == reference]
