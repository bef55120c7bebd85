"""Galaxy UV luminosity functions.

    ln L = -1/2 sum_i [(phi(M_i, z_i) - phi_i) / s_i]^2  (- ln s_i where s depends on the model)

phi is in linear units [Mpc^-3 mag^-1], and ``s^2 = sigma^2 + e^2``. The emulator's error ``e`` is converted to linear
units. By default, asymmetric errors are two half-Gaussians. A non-detection with limit ``l`` at ``n`` sigma is a
measurement of zero with the error ``l / n``.

The model provides log10 phi. It is a cubic spline in M_UV and linear between the emulated redshifts, and it is never
extrapolated. Observed and modelled cosmologies are not converted into each other. Most papers use H0 = 70 and
Omega_m = 0.3, which corresponds to a shift of about 0.02 to 0.05 mag.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_table
from astroemu.core.columns import NumberColumn, TextColumn, warn_of_repeated_rows, where
from astroemu.core.likelihoods import (
    barlow_gaussian,
    draw_barlow_gaussian,
    draw_split_gaussian,
    gaussian,
    log_norm_barlow,
    split_gaussian,
)
from astroemu.core.panel import Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DoubleCountingWarning, closest, listing
from astroemu.io.paths import FileName

UNIT = "log10(Mpc^-3 mag^-1)"
_LN10 = float(np.log(10.0))
_PHI = "1 / (mag Mpc3)"
_ERROR = NumberColumn(_PHI, above=0, needed=where(kind="measurement"))
_COLUMNS = {
    "reference": TextColumn(),
    "kind": TextColumn(choices=("measurement", "upper")),
    "z": NumberColumn(above=0),
    "M_UV": NumberColumn("mag", same="mag(AB)"),
    "phi": NumberColumn(_PHI),
    "err_up": _ERROR,
    "err_lo": _ERROR,
    "n_sigma": NumberColumn(above=0, needed=where(kind="upper")),
    "arxiv": TextColumn(needed=False),
}
#: Columns of which two rows that are equal are the same measurement.
_MEASUREMENT = ("reference", "z", "M_UV", "phi", "kind")
#: Half the width in magnitudes of a curve through a single bin.
_SINGLE = 0.25
#: Sets that contain the same galaxies at the same redshift.
_OVERLAPS = (
    ("Bouwens+2015", "Bouwens+2021"),
    ("Bouwens+2015", "Oesch+2018"),
    *itertools.combinations(("Harikane+2023", "McLeod+2024", "Donnan+2024", "Finkelstein+2023"), 2),
)


class UVLuminosityFunction(Probe):
    """Binned UV luminosity functions.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the same columns.
    sets : mapping of str to tuple of float
        Redshift labels to use, by reference; by default Bouwens+2021 at 6, 7, 8 and Oesch+2018 at 10.
    m_uv_min, m_uv_max : float
        Range of magnitudes (bright and faint cut), both excluded.
    errors : {"split", "symmetric", "barlow"}
        Treatment of asymmetric errors; ``symmetric`` uses their mean.

    Raises
    ------
    ConfigurationError
        If a set is not in the catalog, or if the cuts leave no data of a set.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    contains = frozenset({"galaxy UV luminosity functions"})

    def __init__(
        self,
        catalog: FileName = "uv_luminosity_function",
        sets: Mapping[str, tuple[float, ...]] | None = None,
        m_uv_min: float = -20.0,
        m_uv_max: float = -10.0,
        errors: Literal["split", "symmetric", "barlow"] = "split",
    ) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self._errors = errors
        table = _read(source)
        sets = sets if sets is not None else {"Bouwens+2021": (6.0, 7.0, 8.0), "Oesch+2018": (10.0,)}
        keep = _selected(table, sets, source.name)
        keep &= (np.asarray(table["M_UV"]) > m_uv_min) & (np.asarray(table["M_UV"]) < m_uv_max)
        for reference in sets or ("sets",):
            if not np.any(keep & np.asarray(table["reference"] == reference)):
                raise ConfigurationError(
                    f"m_uv_min = {m_uv_min} and m_uv_max = {m_uv_max} leave nothing of {reference!r}; "
                    "remove it or move the cuts"
                )
        _warn_overlaps(sets)
        warn_of_repeated_rows(table, _MEASUREMENT, keep, source.name)
        table = self._table = table[keep]
        self.papers = _papers(table)
        self.reference = tuple(str(value) for value in table["reference"])
        self.z, self.m_uv, phi, up, low, n_sigma = (
            np.asarray(table[name], dtype=float) for name in ("z", "M_UV", "phi", "err_up", "err_lo", "n_sigma")
        )
        self.is_limit = np.asarray(table["kind"] == "upper")
        self.limit = np.where(self.is_limit, phi, np.nan)
        # A non-detection is a measurement of zero. Its error is the limit divided by its significance.
        none = np.where(self.is_limit, phi / np.where(self.is_limit, n_sigma, 1.0), 0.0)
        self.phi = np.where(self.is_limit, 0.0, phi)
        self.error_high = np.where(self.is_limit, none, up)
        self.error_low = np.where(self.is_limit, none, low)
        self._requires = {
            "log10_uv_lf": Requirement(
                "log10_uv_lf",
                at={"z": self.z, "m_uv": self.m_uv},
                unit=UNIT,
                rule={"z": "linear", "m_uv": "spline"},
                remedy="Remove this redshift from `sets`, or move m_uv_min and m_uv_max",
            )
        }

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        model = predictions["log10_uv_lf"]
        phi = xp.exp(_LN10 * model.value)
        extra = None if model.error is None else _LN10 * phi * model.error
        if self._errors == "symmetric":
            terms = gaussian(phi, self.phi, 0.5 * (self.error_low + self.error_high), xp, extra)
        else:
            form = split_gaussian if self._errors == "split" else barlow_gaussian
            terms = form(phi, self.phi, self.error_low, self.error_high, xp, extra)
        return xp.sum(terms, axis=-1)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bins for another sky.

        The data are drawn in linear phi. A non-detection becomes a measurement with the same error.
        """
        phi, low, high = (part[0] for part in self._widths(predictions["log10_uv_lf"]))
        draw = draw_barlow_gaussian if self._errors == "barlow" else draw_split_gaussian
        mock = copy.copy(self)
        mock.phi = draw(phi, low, high, rng)
        mock.is_limit, mock.limit = np.zeros(len(phi), dtype=bool), np.full(len(phi), np.nan)
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return zero for normalised errors, or the log integral for ``barlow``."""
        if self._errors != "barlow":
            return super().log_normalisation(predictions, parameters)
        return np.sum(log_norm_barlow(*self._widths(predictions["log10_uv_lf"])[1:]), axis=-1)

    def _widths(self, model: Prediction) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return phi and its lower and upper error including the emulator's error, ``(n, bins)`` each."""
        phi = np.exp(_LN10 * model.value)
        extra = 0.0 * phi if model.error is None else _LN10 * phi * model.error
        low, high = self.error_low, self.error_high
        if self._errors == "symmetric":
            low = high = 0.5 * (low + high)
        return phi, np.hypot(low, extra), np.hypot(high, extra)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the bins in use."""
        table = self._table.copy()
        table["phi"][:] = np.where(self.is_limit, self.limit, self.phi)
        table["kind"] = np.where(self.is_limit, "upper", "measurement")
        measured = ~self.is_limit
        table["err_up"][measured], table["err_lo"][measured] = self.error_high[measured], self.error_low[measured]
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per redshift."""
        return tuple(self._panel(z) for z in np.unique(self.z))

    def _panel(self, z: float) -> Panel:
        here = self.z == z
        limit = self.is_limit[here]
        low, high = self.m_uv[here].min(), self.m_uv[here].max()
        margin = _SINGLE if low == high else 0.0
        m_uv = np.linspace(low - margin, high + margin, 50)
        return Panel(
            title=f"UV luminosity function, z = {z:g} ({', '.join(sorted(set(np.array(self.reference)[here])))})",
            x_label=r"$M_{\rm UV}$ [mag]",
            y_label=r"$\phi$ [Mpc$^{-3}$ mag$^{-1}$]",
            x=self.m_uv[here],
            y=np.where(limit, self.limit[here], self.phi[here]),
            error_low=np.where(limit, 0.0, self.error_low[here]),
            error_high=np.where(limit, 0.0, self.error_high[here]),
            kind=tuple("upper" if flag else "measurement" for flag in limit),
            curve=Requirement(
                "log10_uv_lf",
                at={"z": np.full(50, z), "m_uv": m_uv},
                unit=UNIT,
                rule={"m_uv": "spline"},
                outside={"m_uv": "hold"},  # the margin of a bin at the last node
            ),
            curve_x=m_uv,
            transform=lambda y: 10.0**y,
            y_log=True,
        )


def _read(source: Catalog) -> Any:
    table = source.table(_COLUMNS)
    empty = np.asarray((table["kind"] == "upper") & (table["phi"] <= 0))
    source.refuse_rows(table, empty, "an upper limit on phi must be above 0")
    return table


def _papers(table: Any) -> tuple[str, ...]:
    """Return the papers of the rows in use; empty if the file names none."""
    return tuple(dict.fromkeys(str(number) for number in table["arxiv"] if number))


def _selected(table: Any, sets: Mapping[str, tuple[float, ...]], name: str) -> NDArray[np.bool_]:
    references = sorted(set(table["reference"].tolist()))
    keep = np.zeros(len(table), dtype=bool)
    for reference, redshifts in sets.items():
        if reference not in references:
            raise ConfigurationError(
                f"sets: {name!r} has no {reference!r}.{closest(reference, references)} It has {listing(references)}"
            )
        rows = np.asarray(table["reference"] == reference)
        for z in redshifts:
            chosen = rows & np.isclose(np.asarray(table["z"]), z)
            if not chosen.any():
                known = ", ".join(f"{value:g}" for value in np.unique(np.asarray(table["z"])[rows]))
                raise ConfigurationError(f"sets: {reference!r} has no z = {z:g}; it has z = {known}")
            keep |= chosen
    return keep


def _warn_overlaps(sets: Mapping[str, tuple[float, ...]]) -> None:
    for first, second in _OVERLAPS:
        shared = set(sets.get(first, ())) & set(sets.get(second, ()))
        if shared:
            warnings.warn(
                f"{first} and {second} share galaxies at z = {', '.join(f'{z:g}' for z in sorted(shared))}: "
                "the likelihood counts them twice. Keep only one of the two sets",
                DoubleCountingWarning,
                stacklevel=4,
            )
