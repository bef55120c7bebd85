"""CMB Thomson optical depth tau_e.

    ln L = -x^2 / (2 s^2),      x = tau_e - tau

By default, asymmetric errors are two half-Gaussians. The alternative is a variance that is linear in the residual
(Barlow 2004), as in 21CMMC. The emulator's error is added in quadrature.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_table
from astroemu.core.columns import NumberColumn, Rows, TextColumn
from astroemu.core.likelihoods import (
    barlow_gaussian,
    draw_barlow_gaussian,
    draw_split_gaussian,
    log_norm_barlow,
    split_gaussian,
)
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, closest, listing
from astroemu.io.paths import FileName

_PLANCK = frozenset({"Planck low-l polarisation"})
#: Data beyond the CMB from which a value of tau was inferred, by reference.
_CONTAINS = {"Qin+2020": frozenset({"galaxy UV luminosity functions", "quasar dark fraction"})}
_REFERENCE = "Planck2018-VI"


def _several(table: Any) -> Rows:
    """Return all rows, unless there is only one, which needs no name."""
    return np.full(len(table), len(table) > 1)


_COLUMNS = {
    "tau": NumberColumn(),
    "err_up": NumberColumn(above=0),
    "err_lo": NumberColumn(above=0),
    "data": TextColumn(needed=False),
    "reference": TextColumn(needed=_several),
    "arxiv": TextColumn(needed=False),
}


class OpticalDepth(Probe):
    """One value of the optical depth.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns. One row needs ``tau``, ``err_up`` and
        ``err_lo`` only.
    reference : str
        Paper to use.
    data : str, optional
        Data combination of that paper; by default the first in the catalog.
    errors : {"split", "barlow"}
        Treatment of asymmetric errors.

    Raises
    ------
    ConfigurationError
        If the options do not select exactly one row of the catalog.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    def __init__(
        self,
        catalog: FileName = "optical_depth",
        reference: str = _REFERENCE,
        data: str | None = None,
        errors: Literal["split", "barlow"] = "split",
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        table = source.table(_COLUMNS)
        rows = _of_reference(source, table, reference)
        choices = [str(value) for value in rows["data"]]
        if data is not None and choices.count(data) != 1:
            raise ConfigurationError(
                f"data = {data!r} is not one of those of {reference}: {listing(choices)}.{closest(data, choices)}"
            )
        start = choices.index(data) if data is not None else 0
        self._row = rows[start : start + 1]
        self.tau, self.error_high, self.error_low = (float(self._row[name][0]) for name in ("tau", "err_up", "err_lo"))
        self.reference = str(self._row["reference"][0]) or source.name
        self.papers = tuple(str(number) for number in self._row["arxiv"] if number)
        self.contains = _PLANCK | _CONTAINS.get(reference, frozenset())
        self._errors = errors
        self._requires = {"tau_e": Requirement("tau_e")}

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        model = predictions["tau_e"]
        form = split_gaussian if self._errors == "split" else barlow_gaussian
        return xp.sum(form(model.value, self.tau, self.error_low, self.error_high, xp, model.error), axis=-1)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same measurement for another sky."""
        truth = predictions["tau_e"]
        low, high = (side[0, 0] for side in self._widths(truth))
        draw = draw_split_gaussian if self._errors == "split" else draw_barlow_gaussian
        mock = copy.copy(self)
        mock.tau = float(draw(truth.value[0, 0], low, high, rng))
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return zero for ``split`` errors, which are normalised, or the log integral for ``barlow``."""
        if self._errors == "split":
            return super().log_normalisation(predictions, parameters)
        return np.sum(log_norm_barlow(*self._widths(predictions["tau_e"])), axis=-1)

    def _widths(self, model: Prediction) -> tuple[Any, Any]:
        """Return the lower and upper error including the emulator's error, ``(n, 1)`` each."""
        extra = 0.0 * model.value if model.error is None else model.error
        return np.hypot(self.error_low, extra), np.hypot(self.error_high, extra)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the row in use."""
        table = self._row.copy()
        table["tau"] = self.tau
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with the posterior of tau_e and the measurement."""
        return (
            Panel(
                title=f"Optical depth ({self.reference})",
                x_label=r"$\tau_e$",
                y_label="posterior density",
                x=np.zeros(1),
                y=np.array([self.tau]),
                error_low=np.array([self.error_low]),
                error_high=np.array([self.error_high]),
                kind=("measurement",),
                curve=Requirement("tau_e"),
            ),
        )


def _of_reference(source: Catalog, table: Any, reference: str) -> Any:
    """Return the rows of a reference, or the one row of a table that names none."""
    known = sorted(set(table["reference"].tolist()) - {""})
    if not known and reference == _REFERENCE:
        return table
    if reference not in known:
        raise ConfigurationError(
            f"reference = {reference!r} is not in {source.name!r}.{closest(reference, known)} It has {listing(known)}"
        )
    return table[np.asarray(table["reference"] == reference)]
