"""The ionizing background at the end of reionization: mean free path, photo-ionization rate and emissivity.

    ln L = ln int da N(a) prod_i L_i(m_i + a f m_i)
    ln L_i = -1/2 (m_i - d_i)^2 / s_i^2,      s_i = s_high above the datum, s_low below it

The model of such data is uncertain by a fraction ``f``, which all redshifts share: one amplitude ``a`` moves them
together. The integral has a closed form. The emulator's error is common as well, see
:mod:`astroemu.core.common_errors`. The strongest common error is integrated over; the others are added to the errors of
the data.

The observables come from the derived quantities ``ionizing_emissivity`` and ``ionizing_background``, which state the
model.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import load_catalog, write_table
from astroemu.core.columns import NumberColumn, TextColumn, warn_of_repeated_rows
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu.io.paths import FileName
from astroemu_probes.papers import rows_of_papers
from astroemu_probes.uv_fields import Bins, Density

#: Topic of the data that were inferred from the opacity of the Lyman-alpha forest.
_FOREST = "Lyman-alpha forest opacity"
_TOPICS = {"Lya forest opacity CDF": _FOREST}
_CURVE = 60


class _Background(Probe):
    """Measurements of one observable by redshift, with asymmetric errors."""

    #: Observable, which is also the name of the column of the catalog; its unit; title and label of the figure.
    observable: ClassVar[str]
    unit: ClassVar[str]
    title: ClassVar[str]
    label: ClassVar[str]

    def _read(
        self, catalog: str, references: tuple[str, ...], z_min: float, z_max: float, modelling_fraction: float
    ) -> None:
        if not 0.0 <= modelling_fraction < 10.0:
            raise ConfigurationError(f"modelling_fraction = {modelling_fraction} must be in [0, 10)")
        source = load_catalog(catalog)
        self.catalogs = (source,)
        error = NumberColumn(self.unit, above=0)
        table = source.table(
            {
                "z": NumberColumn(above=0),
                self.observable: NumberColumn(self.unit),
                "err_up": error,
                "err_lo": error,
                "reference": TextColumn(),
                "method": TextColumn(needed=False),
                "arxiv": TextColumn(needed=False),
            }
        )
        keep = rows_of_papers(table, source.name, references, z_min, z_max)
        warn_of_repeated_rows(table, ("reference", "z", self.observable), keep, source.name)
        self._table = table[keep]
        self._table.sort("z")
        self.papers = tuple(dict.fromkeys(str(number) for number in self._table["arxiv"] if number))
        self.contains = frozenset(_TOPICS[method] for method in self._table["method"] if method in _TOPICS)
        self.z, self.data, self.error_high, self.error_low = (
            np.asarray(self._table[name], dtype=float) for name in ("z", self.observable, "err_up", "err_lo")
        )
        #: The likelihood is computed in units of the data, so that any unit has the same digits.
        self._unit = np.maximum(np.abs(self.data), 0.5 * (self.error_low + self.error_high))
        none = np.zeros(len(self.z))
        d, low, high = (side / self._unit for side in (self.data, self.error_low, self.error_high))
        fields = ["all"] * len(self.z)
        self._bins = Bins(d, low, high, none, none, none > 0, fields, "split", True, modelling_fraction)
        remedy = "Move z_min and z_max of the probe, or those of the derived quantity that provides it"
        self._requires = {
            self.observable: Requirement(self.observable, {"z": self.z}, self.unit, rule={"z": "cubic"}, remedy=remedy)
        }

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], xp: Namespace
    ) -> Any:
        return self._bins.log_likelihood(self._model(predictions[self.observable], xp), xp)

    def _model(self, prediction: Prediction, xp: Namespace) -> Density:
        """Return the model with its errors, in units of the data."""
        value = prediction.value / self._unit
        if prediction.error is None:
            return Density(value)
        rest = prediction.independent_variance(xp)
        return Density(value, prediction.shared_modes() / self._unit, None if rest is None else rest / self._unit**2)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same rows for another sky. The error bars stay."""
        mock = copy.copy(self)
        d, _ = self._bins.simulate(self._model(predictions[self.observable], NUMPY), rng)
        mock._bins, mock.data = replace(self._bins, d=d), d * self._unit
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the rows in use."""
        table = self._table.copy()
        table[self.observable][:] = self.data
        write_table(folder / f"{name}.ecsv", table)
        return {"catalog": f"{name}.ecsv"}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with all data."""
        z = np.linspace(self.z.min(), self.z.max(), _CURVE if len(self.z) > 1 else 1)
        return (
            Panel(
                title=self.title,
                x_label=r"$z$",
                y_label=self.label,
                x=self.z,
                y=self.data,
                error_low=self.error_low,
                error_high=self.error_high,
                kind=(MEASUREMENT,) * len(self.z),
                curve=Requirement(self.observable, {"z": z}, self.unit, rule={"z": "cubic"}),
                curve_x=z,
                y_log=bool(self.data.min() > 0),
            ),
        )


class MeanFreePath(_Background):
    """Mean free path of ionizing photons at 912 Angstrom, in proper Mpc.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``reference``, ``z``, ``lambda_mfp``, ``err_up``
        and ``err_lo``.
    references : tuple of str
        Papers to use.
    z_min, z_max : float
        Range of redshifts, both included.
    modelling_fraction : float
        ``f``: error of the model, as a fraction of it, that all redshifts share.

    Raises
    ------
    ConfigurationError
        If a reference is not in the catalog, or nothing of it is in the range.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    observable, unit = "lambda_mfp", "Mpc"
    title, label = "Mean free path of ionizing photons", r"$\lambda_{\rm mfp}$ [proper Mpc]"

    def __init__(
        self,
        catalog: FileName = "mean_free_path",
        references: tuple[str, ...] = ("Zhu+2023",),
        z_min: float = 0.0,
        z_max: float = float("inf"),
        modelling_fraction: float = 0.0,
    ) -> None:
        self._read(catalog, references, z_min, z_max, modelling_fraction)


class PhotoionizationRate(_Background):
    """Photo-ionization rate of hydrogen, in 1e-12/s, as an average over the volume.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``reference``, ``z``, ``gamma_hi``, ``err_up``
        and ``err_lo``.
    references : tuple of str
        Papers to use.
    z_min, z_max : float
        Range of redshifts, both included.
    modelling_fraction : float
        ``f``. The default 0.3 is that of closed forms of this rate against radiative transfer (20 to 30 %), with the
        error of the sources' spectrum (15 % for ``alpha_s`` = 2.0 +- 0.6).

    Raises
    ------
    ConfigurationError
        If a reference is not in the catalog, or nothing of it is in the range.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    observable, unit = "gamma_hi", "1e-12 / s"
    title, label = "Photo-ionization rate", r"$\Gamma_{\rm HI}$ [$10^{-12}$/s]"

    def __init__(
        self,
        catalog: FileName = "photoionization_rate",
        references: tuple[str, ...] = ("Gaikwad+2023",),
        z_min: float = 0.0,
        z_max: float = float("inf"),
        modelling_fraction: float = 0.3,
    ) -> None:
        self._read(catalog, references, z_min, z_max, modelling_fraction)


class IonizingEmissivity(_Background):
    """Emissivity of ionizing photons, in 1e50/s per comoving Mpc^3.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an ECSV file with the columns ``reference``, ``z``, ``n_ion_dot``, ``err_up``
        and ``err_lo``.
    references : tuple of str
        Papers to use.
    z_min, z_max : float
        Range of redshifts, both included.
    modelling_fraction : float
        ``f``. The default 0.2 is the accuracy of the model of galaxies, as in ``power_spectrum_21cm``.

    Raises
    ------
    ConfigurationError
        If a reference is not in the catalog, or nothing of it is in the range.
    DataError
        If a column of the catalog is missing, or holds what the likelihood cannot use.
    """

    observable, unit = "n_ion_dot", "1e50 / (Mpc3 s)"
    title, label = "Emissivity of ionizing photons", r"$\dot{n}_{\rm ion}$ [$10^{50}$/s/Mpc$^3$]"

    def __init__(
        self,
        catalog: FileName = "ionizing_emissivity",
        references: tuple[str, ...] = ("Gaikwad+2023",),
        z_min: float = 0.0,
        z_max: float = float("inf"),
        modelling_fraction: float = 0.2,
    ) -> None:
        self._read(catalog, references, z_min, z_max, modelling_fraction)
