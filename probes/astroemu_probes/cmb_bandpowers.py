"""Bandpowers of CMB temperature and polarisation: the common part of several likelihoods.

    ln L = -r^T C^-1 r / 2,      r = f_s W_s D_s - d

The data are the bandpowers ``d`` with covariance ``C``, with foregrounds marginalised ("lite" likelihoods: Dunkley et
al. 2013, arXiv:1301.0776). ``D_l = l (l + 1) C_l / 2 pi`` are the spectra of TT, TE and EE, ``W`` the windows, and
``f`` a calibration factor per spectrum. Each experiment is a subclass that reads its files and defines its
calibration.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_datasets
from astroemu.core.datasets import Datasets, read_attribute
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError, listing

SPECTRA = ("TT", "TE", "EE")
UNIT = "uK^2"
#: Largest fraction of its weight that a window may lose at high multipoles, if bandpowers are cut.
_LEAKAGE = 1e-5


@dataclass(frozen=True, eq=False)
class Band:
    """Bandpowers of one spectrum.

    Attributes
    ----------
    data, ell_eff : (m,) array
        Values [uK^2] and effective multipoles.
    ell, window : (l,) and (m, l) array
        ``data`` is ``window @ D_ell``.
    """

    data: FloatArray
    ell_eff: FloatArray
    ell: FloatArray
    window: FloatArray

    @property
    def scale(self) -> FloatArray:
        """Bandpower of a spectrum with D_ell = 1. It is one, or the factor from D_ell to C_ell."""
        return np.asarray(self.window.sum(axis=1))

    def keep(self, rows: NDArray[np.bool_]) -> Band:
        """Return some bandpowers, with the multipoles that they need."""
        window = np.abs(self.window[rows])
        beyond = np.cumsum((window / window.sum(axis=1, keepdims=True))[:, ::-1], axis=1)[:, ::-1].max(axis=0)
        # If bandpowers are cut, the tails of windows are dropped. Otherwise only zeros are dropped.
        reach = 1 + np.flatnonzero(beyond > (0.0 if rows.all() else _LEAKAGE))[-1]
        return Band(self.data[rows], self.ell_eff[rows], self.ell[:reach], self.window[rows, :reach])


class Bandpowers(Probe):
    """Bandpowers with a Gaussian likelihood.

    Parameters
    ----------
    source : Catalog
        Catalog of the data.
    bands : mapping of str to Band
        Bandpowers by spectrum, in the order of the covariance.
    covariance : (m, m) array
        Covariance [uK^4].
    spectra : tuple of str
        Spectra to use.
    l_min, l_max : mapping of str to number
        Range of effective multipoles to use, by spectrum.

    Raises
    ------
    ConfigurationError
        If no bandpower is left, or if a spectrum is unknown.
    DataError
        If the data cannot be D_ell in uK^2, or if the covariance is not positive definite.
    """

    def __init__(
        self,
        source: Catalog,
        bands: Mapping[str, Band],
        covariance: FloatArray,
        spectra: tuple[str, ...],
        l_min: Mapping[str, float],
        l_max: Mapping[str, float],
    ) -> None:
        self.catalogs = (source,)
        for option, names in (("spectra", spectra), ("l_min", l_min), ("l_max", l_max)):
            for name in names:
                if name not in bands:
                    raise ConfigurationError(f"{option}: {name!r} is not one of {listing(bands)}")
        _check_plausible(source, bands)
        used = {
            name: (band.ell_eff >= l_min.get(name, 0.0)) & (band.ell_eff <= l_max.get(name, np.inf)) & (name in spectra)
            for name, band in bands.items()
        }
        rows = np.concatenate(list(used.values()))
        self.bands = {name: bands[name].keep(used[name]) for name in bands if used[name].any()}
        if not self.bands:
            raise ConfigurationError(
                f"spectra = {list(spectra)}, l_min = {dict(l_min)}, l_max = {dict(l_max)} leave no bandpower; "
                "change these options"
            )
        self.data = np.concatenate([band.data for band in self.bands.values()])
        self.covariance = covariance[np.ix_(rows, rows)]
        try:
            factor = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError:
            raise DataError(
                f"catalog {source.name!r}: the covariance is not positive definite; correct the file"
            ) from None
        self._whitening = np.linalg.inv(factor).T
        self._requires = {name: self._requirement(name, band) for name, band in self.bands.items()}

    @abstractmethod
    def calibration(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the factor ``(n,)`` of each spectrum of the model, by spectrum."""

    def log_prior(self, parameters: Mapping[str, Any], xp: Namespace) -> Any:
        """Return the log prior ``(n,)`` of the calibration beyond the priors of its parameters, or zero."""
        del parameters, xp
        return 0.0

    @staticmethod
    def _requirement(name: str, band: Band) -> Requirement:
        return Requirement(
            f"d_ell_{name.lower()}",
            at={"ell": band.ell},
            unit=UNIT,
            rule={"ell": "spline"},
            weights=band.window,
            remedy="Set l_max to cut the data, or use an emulator with higher multipoles",
        )

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        factors = self.calibration(parameters)
        scaled = [predictions[name].value * factors[name][:, None] for name in self.bands]
        residual = xp.concatenate(scaled, axis=1) - self.data
        prior = self.log_prior(parameters, xp)
        if all(predictions[name].error is None for name in self.bands):
            return prior - 0.5 * xp.sum(xp.matmul(residual, self._whitening) ** 2, axis=1)
        return prior + self._with_errors(residual, predictions, xp)

    def _with_errors(self, residual: Any, predictions: Mapping[str, Prediction], xp: Namespace) -> Any:
        """Return the log-likelihood with the provider's variance added to each bandpower.

        It is normalised relative to the covariance of the data.
        """
        given = {name: predictions[name] for name in self.bands}
        errors = [0.0 * each.value if each.error is None else each.error for each in given.values()]
        variance = xp.concatenate(errors, axis=1) ** 2
        covariance = self.covariance + variance[:, :, None] * np.eye(len(self.data))
        chi2 = xp.sum(residual * xp.solve(covariance, residual[:, :, None])[:, :, 0], axis=1)
        return -0.5 * (chi2 + xp.logdet(covariance) - np.linalg.slogdet(self.covariance)[1])

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same bandpowers for another sky."""
        factors = self.calibration(parameters)
        data = np.concatenate([(predictions[name].value * factors[name][:, None])[0] for name in self.bands])
        if rng is not None:
            given = [predictions[name] for name in self.bands]
            errors = [np.zeros(each.value.shape[1]) if each.error is None else each.error[0] for each in given]
            factor = np.linalg.cholesky(self.covariance + np.diag(np.concatenate(errors) ** 2))
            data = data + factor @ rng.standard_normal(len(data))
        mock = copy.copy(self)
        parts = np.split(data, np.cumsum([len(band.data) for band in self.bands.values()])[:-1])
        mock.bands = {
            name: replace(band, data=part) for (name, band), part in zip(self.bands.items(), parts, strict=True)
        }
        mock.data = data
        return mock

    def log_normalisation(self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any]) -> Any:
        """Return the log prior that is part of the likelihood. The other parts are normalised."""
        return super().log_normalisation(predictions, parameters) + self.log_prior(parameters, NUMPY)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the bandpowers in use, with their windows."""
        write_datasets(folder / f"{name}.h5", *self._content())
        return {"catalog": f"{name}.h5", "spectra": list(self.bands), "l_min": {}, "l_max": {}}

    def _content(self) -> tuple[dict[str, tuple[Any, str]], dict[str, Any]]:
        """Return datasets and attributes in the layout of :func:`read_windows`."""
        datasets: dict[str, tuple[Any, str]] = {
            "bandpower": (self.data, "uK2"),
            "covariance": (self.covariance, "uK4"),
            "ell_eff": (np.concatenate([band.ell_eff for band in self.bands.values()]), ""),
        }
        attributes: dict[str, Any] = {}
        first = 0
        for name, band in self.bands.items():
            datasets |= {f"window/{name}/ell": (band.ell, ""), f"window/{name}/W": (band.window, "")}
            attributes |= {f"window/{name}/first": first, f"window/{name}/last": first + len(band.data) - 1}
            first += len(band.data)
        return datasets, attributes

    def panels(self) -> tuple[Panel, ...]:
        """Return one panel per spectrum, in D_ell, before calibration."""
        sigma = np.split(np.sqrt(np.diag(self.covariance)), np.cumsum([len(b.data) for b in self.bands.values()])[:-1])
        return tuple(
            self._panel(name, band, error) for (name, band), error in zip(self.bands.items(), sigma, strict=True)
        )

    def _panel(self, name: str, band: Band, sigma: FloatArray) -> Panel:
        error = sigma / band.scale
        ell = np.unique(np.linspace(max(band.ell[0], 2.0), band.ell_eff[-1], 400).round())
        return Panel(
            title=f"{name}, {self.catalogs[0].name}",
            x_label=r"$\ell$",
            y_label=rf"$D_\ell^{{{name}}}$ [$\mu$K$^2$]",
            x=band.ell_eff,
            y=band.data / band.scale,
            error_low=error,
            error_high=error,
            kind=(MEASUREMENT,) * len(band.data),
            curve=Requirement(f"d_ell_{name.lower()}", at={"ell": ell}, unit=UNIT, rule={"ell": "spline"}),
            curve_x=ell,
        )


def read_windows(source: Catalog) -> tuple[dict[str, Band], FloatArray]:
    """Return bands by spectrum and their covariance, from a catalog with windows.

    The datasets are ``bandpower``, ``covariance``, ``ell_eff`` and ``window/TT/{ell, W}``.

    Raises
    ------
    DataError
        If the file does not have this layout, if a unit cannot be converted, or if a number is refused.
    """
    with source.hdf5() as file:
        data = Datasets(file)
        values = data.numbers("bandpower", UNIT)
        covariance = data.covariance("covariance", "uK^4", "bandpower")
        ell_eff = data.numbers("ell_eff", "", ("bandpower",), above=0)
        bands, first = {}, 0
        for name in SPECTRA:
            if name not in file["window"]:
                continue
            group = file["window"][name]
            rows = slice(int(read_attribute(group, "first")), int(read_attribute(group, "last")) + 1)
            if rows.start != first or not first < rows.stop <= len(values):
                raise DataError(
                    f"'window/{name}' is for the bandpowers {rows.start} to {rows.stop - 1}; TT, TE and EE must follow "
                    "each other in this order, without gaps. Correct the attributes `first` and `last`"
                )
            first = rows.stop
            windows = Datasets(group)
            ell = windows.numbers("ell", above=-1, increasing=True)
            window = windows.numbers("W", "", (rows.stop - rows.start, "ell"))
            bands[name] = Band(values[rows], ell_eff[rows], ell, window)
        if first != len(values):
            raise DataError(f"there are windows for {first} of {len(values)} bandpowers; add `window/TT`, TE or EE")
    return bands, covariance


def read_spectra(source: Catalog) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Return multipoles and D_ell [uK^2] by spectrum, from a catalog with ``ell`` and ``D_ell`` (TT, TE, EE)."""
    with source.hdf5() as file:
        data = Datasets(file)
        ell = data.numbers("ell", above=-1, increasing=True)
        table = data.numbers("D_ell", UNIT, (len(SPECTRA), "ell"))
    return ell, dict(zip(SPECTRA, table, strict=True))


@cache
def _reference() -> tuple[FloatArray, dict[str, FloatArray]]:
    return read_spectra(load_catalog("planck2018_best_fit"))


def _check_plausible(source: Catalog, bands: Mapping[str, Band]) -> None:
    """Raise an error if the data differ from the Planck best fit by a factor of five or more.

    This finds C_ell that are given as D_ell, and K^2 that are given as uK^2.
    """
    ell, spectra = _reference()
    for name in {"TT", "EE"} & set(bands):
        band = bands[name]
        model = band.window @ np.interp(band.ell, ell, spectra[name])
        ratio = float(np.median(band.data / model))
        if not 0.2 < ratio < 5:
            raise DataError(
                f"catalog {source.name!r}: the {name} bandpowers of {source.path} are {ratio:.3g} times those of the "
                "Planck 2018 best fit through the same windows. Give D_ell = ell (ell + 1) C_ell / 2 pi in uK^2, "
                "not C_ell, nor K^2. Alternatively, include the factor in the windows"
            )
