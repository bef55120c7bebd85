"""Bandpowers of CMB temperature and polarisation: what the likelihoods of several experiments share.

    ln L = -r^T C^-1 r / 2,      r = f_s W_s D_s - d

with the bandpowers ``d`` and their covariance ``C``, foregrounds marginalised ("lite" likelihoods:
Dunkley et al. 2013, arXiv:1301.0776), the spectra ``D_l = l (l + 1) C_l / 2 pi`` of TT, TE and EE, the
windows ``W`` and a calibration factor ``f`` of each spectrum. An experiment is a subclass that reads its
files and says what its calibration is.
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

from astroemu.catalog import Catalog, load_catalog, write_datasets
from astroemu.errors import ConfigurationError, DataError, listing
from astroemu.namespace import NUMPY, Namespace
from astroemu.panel import MEASUREMENT, Panel
from astroemu.probe import Probe
from astroemu.provider import Prediction
from astroemu.requirement import Requirement

Array = NDArray[np.float64]
SPECTRA = ("TT", "TE", "EE")
UNIT = "uK^2"
#: Share of its weight that a cut window may lose beyond the multipoles that the others need.
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

    data: Array
    ell_eff: Array
    ell: Array
    window: Array

    @property
    def scale(self) -> Array:
        """Bandpower of a spectrum with D_ell = 1: one, or what turns it into C_ell."""
        return np.asarray(self.window.sum(axis=1))

    def keep(self, rows: NDArray[np.bool_]) -> Band:
        """Keep some bandpowers, and of the multipoles those that they need."""
        window = np.abs(self.window[rows])
        beyond = np.cumsum((window / window.sum(axis=1, keepdims=True))[:, ::-1], axis=1)[:, ::-1].max(axis=0)
        # Tails are dropped with the bandpowers that are cut; of a whole spectrum, zeros only.
        reach = 1 + np.flatnonzero(beyond > (0.0 if rows.all() else _LEAKAGE))[-1]
        return Band(self.data[rows], self.ell_eff[rows], self.ell[:reach], self.window[rows, :reach])


class Bandpowers(Probe):
    """Bandpowers with a Gaussian likelihood.

    Parameters
    ----------
    source : Catalog
    bands : mapping of str to Band
        By spectrum, in the order of the covariance.
    covariance : (m, m) array
        [uK^4]
    spectra : tuple of str
        Which to use.
    l_min, l_max : mapping of str to number
        By spectrum, the range of effective multipoles to use.

    Raises
    ------
    ConfigurationError
        If nothing is left, or a spectrum is not known.
    DataError
        If the data cannot be D_ell in uK^2.
    """

    def __init__(
        self,
        source: Catalog,
        bands: Mapping[str, Band],
        covariance: Array,
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
                f"spectra = {list(spectra)}, l_min = {dict(l_min)}, l_max = {dict(l_max)} leave no bandpower"
            )
        self.data = np.concatenate([band.data for band in self.bands.values()])
        self.covariance = covariance[np.ix_(rows, rows)]
        try:
            factor = np.linalg.cholesky(self.covariance)
        except np.linalg.LinAlgError:
            raise DataError(f"catalog {source.name!r}: the covariance is not positive definite") from None
        self._whitening = np.linalg.inv(factor).T
        self._requires = {name: self._requirement(name, band) for name, band in self.bands.items()}

    @abstractmethod
    def calibration(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what each spectrum of the model is multiplied with: by spectrum, ``(n,)``."""

    def log_prior(self, parameters: Mapping[str, Any], xp: Namespace) -> Any:
        """Return what is known of the calibration beyond the priors of its parameters: ``(n,)`` or zero."""
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
            remedy="Set l_max to cut the data, or use an emulator that goes further",
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
        """Add the provider's variance, bandpower by bandpower; normalised relative to the data's own covariance."""
        given = {name: predictions[name] for name in self.bands}
        errors = [0.0 * each.value if each.error is None else each.error for each in given.values()]
        variance = xp.concatenate(errors, axis=1) ** 2
        covariance = self.covariance + variance[:, :, None] * np.eye(len(self.data))
        chi2 = xp.sum(residual * xp.solve(covariance, residual[:, :, None])[:, :, 0], axis=1)
        return -0.5 * (chi2 + xp.logdet(covariance) - np.linalg.slogdet(self.covariance)[1])

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """The same bandpowers of another sky."""
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
        """What the likelihood holds of a prior; the rest is normalised."""
        return super().log_normalisation(predictions, parameters) + self.log_prior(parameters, NUMPY)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """The bandpowers that are used, with their windows."""
        write_datasets(folder / f"{name}.h5", *self._content())
        return {"catalog": f"{name}.h5", "spectra": list(self.bands), "l_min": {}, "l_max": {}}

    def _content(self) -> tuple[dict[str, tuple[Any, str]], dict[str, Any]]:
        """Datasets and attributes, as :func:`read_windows` reads them."""
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
        """One a spectrum, in D_ell, before calibration."""
        sigma = np.split(np.sqrt(np.diag(self.covariance)), np.cumsum([len(b.data) for b in self.bands.values()])[:-1])
        return tuple(
            self._panel(name, band, error) for (name, band), error in zip(self.bands.items(), sigma, strict=True)
        )

    def _panel(self, name: str, band: Band, sigma: Array) -> Panel:
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


def read_windows(source: Catalog) -> tuple[dict[str, Band], Array]:
    """Read bandpowers with windows: datasets ``bandpower``, ``covariance``, ``ell_eff`` and ``window/TT/{ell, W}``.

    Raises
    ------
    DataError
        If the file is not of this form, or of another unit.
    """
    with source.hdf5() as file:
        data, covariance = (in_unit(source, file, name, unit) for name, unit in _UNITS.items())
        ell_eff, bands = file["ell_eff"][()], {}
        for name in SPECTRA:
            if name not in file["window"]:
                continue
            group = file["window"][name]
            rows = slice(int(group.attrs["first"]), int(group.attrs["last"]) + 1)
            bands[name] = Band(data[rows], ell_eff[rows], group["ell"][()].astype(float), group["W"][()].astype(float))
    return bands, covariance


_UNITS = {"bandpower": "uK2", "covariance": "uK4"}


def in_unit(source: Catalog, file: Any, name: str, unit: str) -> Array:
    """Read a dataset, converted from the unit that it states.

    Raises
    ------
    DataError
        If it states none, or one that cannot be converted.
    """
    from astropy import units

    stated = file[name].attrs.get("units")
    try:
        factor = units.Unit(stated).to(unit)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"catalog {source.name!r}: the dataset {name!r} of {source.path} is needed in {unit} but states "
            f"units = {stated!r} ({error})"
        ) from None
    return np.asarray(file[name][()] * factor, dtype=float)


def read_spectra(source: Catalog) -> tuple[Array, dict[str, Array]]:
    """Read multipoles, and D_ell [uK^2] by spectrum, of a catalog with ``ell`` and ``D_ell`` (TT, TE, EE)."""
    with source.hdf5() as file:
        table = in_unit(source, file, "D_ell", "uK2")
        return file["ell"][()].astype(float), dict(zip(SPECTRA, table, strict=True))


@cache
def _reference() -> tuple[Array, dict[str, Array]]:
    return read_spectra(load_catalog("planck2018_best_fit"))


def _check_plausible(source: Catalog, bands: Mapping[str, Band]) -> None:
    """Refuse data that differ from every Universe like ours by a large factor: C_ell as D_ell, K^2 as uK^2."""
    ell, spectra = _reference()
    for name in {"TT", "EE"} & set(bands):
        band = bands[name]
        model = band.window @ np.interp(band.ell, ell, spectra[name])
        ratio = float(np.median(band.data / model))
        if not 0.2 < ratio < 5:
            raise DataError(
                f"catalog {source.name!r}: the {name} bandpowers of {source.path} are {ratio:.3g} times those of the "
                "Planck 2018 best fit through their windows. D_ell = ell (ell + 1) C_ell / 2 pi in uK^2 is needed, "
                "not C_ell, nor K^2; or let the windows carry the factor"
            )
