"""E modes of Planck and WMAP at low multipoles: the likelihood ELiCA (Genesini et al. 2026, arXiv:2603.22454).

    ln L   = -N/2 ln[1 + chi^2 / (N - 1)],      chi^2 = X^T M^-1 X
    X_l    = C_f^1/2 U g(D) U^T C_f^1/2,        C^-1/2 C^ C^-1/2 = U D U^T
    C_ij,l = D_l^EE + N_ij,l + O_ij,l,          2 <= l <= 29

The three maps are Planck's 100 and 143 GHz (SRoll2), and WL, the combination of WMAP's Ka, Q and V bands with LFI's
70 GHz. ``C^`` are their spectra, ``N`` the noise, and ``O`` the offsets that keep all of them positive. The
transformation is :mod:`astroemu_probes.hamimeche_lewis`. ``M`` is the covariance of ``N`` = 500 simulations, which
makes the likelihood that of Sellentin & Heavens (2016, arXiv:1511.05969).

Of the six transformed spectra, the default uses all pairs of different maps, and WL with itself. The own spectra of the
two HFI maps bias tau_e in the simulations of the paper.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from astroemu.core.array_namespace import NUMPY, Namespace
from astroemu.core.catalog import Catalog, load_catalog, write_datasets
from astroemu.core.datasets import Datasets, read_attribute
from astroemu.core.panel import MEASUREMENT, Panel
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction
from astroemu.core.requirement import Requirement
from astroemu.core.typing import FloatArray
from astroemu.errors import ConfigurationError, DataError
from astroemu.io.paths import FileName
from astroemu_probes.cmb_bandpowers import UNIT
from astroemu_probes.hamimeche_lewis import Matrix, transformed

MAPS = ("100 GHz", "143 GHz", "WL")
#: Maps of the spectra, in the order of the columns.
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
#: Columns in use.
_SPECTRA = {"hybrid": (1, 2, 4, 5), "cross": (1, 2, 4)}


class Elica(Probe):
    """Spectra of three maps at 2 <= l <= 29, with the transformation of Hamimeche & Lewis.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with the same layout. The data of the default are in the wheel
        ``elica`` 0.1.0, which must be installed.
    spectra : {"hybrid", "cross"}
        Spectra in use after the transformation: those of different maps (``cross``), and also that of WL (``hybrid``).

    Raises
    ------
    DataError
        If the wheel is not installed or is another version, or if the catalog does not have this layout.
    """

    papers = ("2603.22454",)
    contains = frozenset({"Planck low-l polarisation", "WMAP low-l polarisation"})

    def __init__(self, catalog: FileName = "elica", spectra: Literal["hybrid", "cross"] = "hybrid") -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self._read(source)
        columns = np.array(_SPECTRA[spectra])
        self._pairs = tuple(PAIRS[column] for column in columns)
        self._columns = columns
        # The transformed spectra follow each other, each with all multipoles.
        rows = (np.arange(len(self.ell)) * len(PAIRS) + columns[:, None]).ravel()
        self._whitening = np.linalg.inv(np.linalg.cholesky(self._covariance[np.ix_(rows, rows)])).T
        root = _root(_stacked(self._fiducial[:, None] + self._noise + self._offset))
        self._root = [[root[:, i, j] for j in range(len(MAPS))] for i in range(len(MAPS))]
        self._requires = {"EE": Requirement("d_ell_ee", at={"ell": self.ell}, unit=UNIT, rule={"ell": "spline"})}

    def _read(self, source: Catalog) -> None:
        with source.hdf5() as file:
            data = Datasets(file)
            self.ell = data.numbers("ell", above=1, increasing=True)
            self.data = data.numbers("D_ell", UNIT, ("ell", len(PAIRS)))
            self._noise, self._offset = (data.numbers(name, UNIT, ("ell", len(PAIRS))) for name in ("noise", "offset"))
            self._fiducial = data.numbers("fiducial", UNIT, ("ell",), above=0)
            # Only mock data are shifted.
            shifted = "shift" in data
            self._shift = data.numbers("shift", UNIT, ("ell", len(PAIRS))) if shifted else np.zeros_like(self.data)
            self._covariance = data.covariance("covariance", "uK^4", "element")
            self._simulations = read_attribute(file, "simulations", above=len(self._covariance))
        if len(self._covariance) != self.data.size:
            raise DataError(
                f"catalog {source.name!r}: the covariance of {source.path} has {len(self._covariance)} rows; "
                f"{self.data.size} are needed, one for each multipole and spectrum"
            )
        noise = _stacked(self._noise + self._offset)
        wrong = np.flatnonzero(np.linalg.eigvalsh(noise)[:, 0] <= 0)
        if wrong.size:
            raise DataError(
                f"catalog {source.name!r}: noise and offset of {source.path} are not positive definite at "
                f"l = {self.ell[wrong[0]]:g}; increase the offset"
            )
        # C = D + N has only positive eigenvalues above this D.
        self._least = -1.0 / np.linalg.inv(noise).sum(axis=(1, 2))

    @property
    def requires(self) -> Mapping[str, Requirement]:
        return self._requires

    def log_likelihood(
        self,
        predictions: Mapping[str, Prediction],
        parameters: Mapping[str, Any],
        xp: Namespace,
    ) -> Any:
        _refuse_error(predictions["EE"])
        value = predictions["EE"].value
        possible = value > self._least
        value = xp.where(possible, value, self._fiducial)
        found = self._transformed(value, xp)
        shifts = [self._shift[:, column] for column in self._columns]
        moved = xp.concatenate([each - shift for each, shift in zip(found, shifts, strict=True)], axis=1)
        x = xp.matmul(moved, self._whitening)
        ratio = xp.sum(x * x, axis=1) / (self._simulations - 1.0)
        return xp.where(xp.all(possible, axis=1), -0.5 * self._simulations * xp.log1p(ratio), -np.inf)

    def _transformed(self, value: Any, xp: Namespace) -> list[Any]:
        """Return the transformed spectra in use, each ``(n, ell)``, at D_l ``(n, ell)``."""
        measured, noise = _matrix(self.data + self._offset), _matrix(self._noise + self._offset)
        return transformed(measured, noise, self._root, value, self._pairs, xp)

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with another shift of the transformed spectra, and the same spectra.

        The datum is the shift ``b`` in ``X - b``. It has the t distribution of the likelihood, which is exact, whereas
        the transformation makes the spectra themselves Gaussian only approximately. Without noise, ``X - b`` is zero at
        the truth.
        """
        _refuse_error(predictions["EE"])
        value = predictions["EE"].value[:1]
        if not np.all(value > self._least):
            raise ConfigurationError("no sky has such spectra: EE is so negative that it exceeds the noise")
        truth = np.stack(self._transformed(value, NUMPY), axis=1)[0]
        mock = copy.copy(self)
        mock._shift = np.zeros_like(self.data)
        mock._shift[:, self._columns] = (truth - self._noise_of_data(rng)).T
        return mock

    def _noise_of_data(self, rng: np.random.Generator | None) -> FloatArray:
        """Return transformed spectra ``(spectra, ell)`` at the truth: a multivariate t distribution."""
        shape = (len(self._columns), len(self.ell))
        if rng is None:
            return np.zeros(shape)
        size = len(self._whitening)
        freedom = self._simulations - size
        gaussian = np.linalg.solve(self._whitening.T, rng.standard_normal(size))
        return np.reshape(gaussian * np.sqrt((self._simulations - 1.0) / rng.chisquare(freedom)), shape)

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the spectra, and all that the likelihood takes from the wheel, for use on this machine."""
        datasets = {
            "ell": (self.ell, ""),
            "D_ell": (self.data, "uK2"),
            "noise": (self._noise, "uK2"),
            "offset": (self._offset, "uK2"),
            "fiducial": (self._fiducial, "uK2"),
            "shift": (self._shift, "uK2"),
            "covariance": (self._covariance, "uK4"),
        }
        write_datasets(folder / f"{name}.h5", datasets, {"simulations": self._simulations})
        return {"catalog": f"{name}.h5"}

    @property
    def n_data(self) -> int:
        return len(self.ell) * len(self._columns)

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with the mean of the spectra in use, weighted by their covariance, less the noise."""
        size = len(PAIRS)
        mean, error = np.empty(len(self.ell)), np.empty(len(self.ell))
        for row in range(len(self.ell)):
            block = self._covariance[row * size : (row + 1) * size, row * size : (row + 1) * size]
            weight = np.linalg.inv(block[np.ix_(self._columns, self._columns)]).sum(axis=0)
            mean[row] = weight @ (self.data - self._noise - self._shift)[row, self._columns] / weight.sum()
            error[row] = weight.sum() ** -0.5
        return (
            Panel(
                title=f"EE, {self.catalogs[0].name}",
                x_label=r"$\ell$",
                y_label=r"$D_\ell^{EE}$ [$\mu$K$^2$]",
                x=self.ell,
                y=mean,
                error_low=error,
                error_high=error,
                kind=(MEASUREMENT,) * len(self.ell),
                curve=Requirement("d_ell_ee", at={"ell": self.ell}, unit=UNIT, rule={"ell": "spline"}),
                curve_x=self.ell,
            ),
        )


def _refuse_error(prediction: Prediction) -> None:
    if prediction.error is not None:
        raise ConfigurationError(
            "the provider of d_ell_ee states an error, which this likelihood of transformed spectra cannot include. "
            "Set emulator_error = false"
        )


def _matrix(spectra: FloatArray) -> Matrix:
    """Return spectra ``(ell, pairs)`` as a symmetric matrix whose elements have the shape ``(ell,)``."""
    columns = {pair: spectra[:, column] for column, pair in enumerate(PAIRS)}
    return [[columns[min(i, j), max(i, j)] for j in range(len(MAPS))] for i in range(len(MAPS))]


def _stacked(spectra: FloatArray) -> FloatArray:
    """Return spectra ``(ell, pairs)`` as matrices ``(ell, maps, maps)``."""
    return np.moveaxis(np.array(_matrix(spectra)), -1, 0)


def _root(matrices: FloatArray) -> FloatArray:
    """Return the symmetric roots of positive definite matrices ``(ell, maps, maps)``."""
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2))
