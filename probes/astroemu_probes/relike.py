"""Planck 2018 low-l EE as a function of the reionization history: RELIKE (Heinrich & Hu 2021, arXiv:2104.13998).

    ln L = -1/2 (m - m^)^T C^-1 (m - m^)
    m_j  = int dz S_j(z) [x_e(z) - x_fid(z)] / (z_b - z_a),      z_a = 6, z_b = 30,   j = 1 ... 5

The five principal components ``S_j`` hold what the spectra say on x_e(z), the number of free electrons per hydrogen
nucleus. No shape of the history is assumed. Helium is ionised once together with hydrogen:

    x_e(z) = (1 + n_He / n_H) [1 - x_HI(z)]

``S_j`` and ``x_e`` of the fiducial history are linear between their nodes, and the former vanish at z_a and z_b. The
second ionisation of helium is the same in both histories. The cosmology is that of Planck 2018.

**Assumed outside the range.** Below z = 6 all hydrogen is ionised, and above z = 30 it is neutral, as in the paper. A
history that ends later than z = 6 has a lower tau_e than RELIKE assumes: by 0.0002, if x_HI falls from 0.1 to zero
between z = 6 and 5.5.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

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

#: Nodes of the Gauss-Legendre rule between two redshifts of the components, 0.25 apart.
_NODES = 4


class Relike(Probe):
    """Five amplitudes of the principal components of x_e(z).

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with the same layout. The data of the default are in the wheel
        ``relike`` 0.0.4, which must be installed.
    z_min, z_max : float, optional
        Redshift range of the history, which the provider of ``x_hi`` must cover; by default that of the components.
        Hydrogen is assumed to be ionised below ``z_min`` and neutral above ``z_max``.

    Raises
    ------
    ConfigurationError
        If the range is not within that of the components.
    DataError
        If the wheel is not installed or is another version, or if the catalog does not have this layout.
    """

    papers = ("2104.13998",)
    contains = frozenset({"Planck low-l polarisation"})

    def __init__(self, catalog: FileName = "relike", z_min: float | None = None, z_max: float | None = None) -> None:
        source = load_catalog(catalog)
        self.catalogs = (source,)
        self._read(source)
        first, last = self._edges[0], self._edges[-1]
        low, high = (first if z_min is None else z_min), (last if z_max is None else z_max)
        if not first <= low < high <= last:
            raise ConfigurationError(
                f"z_min = {low:g} must be below z_max = {high:g}, and both within the range of the components, "
                f"{first:g} to {last:g}"
            )
        self._project(low, high)
        self._whitening = np.linalg.inv(np.linalg.cholesky(self._covariance)).T

    def _read(self, source: Catalog) -> None:
        with source.hdf5() as file:
            data = Datasets(file)
            self._z = data.numbers("z", above=0, increasing=True)
            self.mean = data.numbers("mean")
            self._component = data.numbers("component", "", ("mean", "z"))
            self._covariance = data.covariance("covariance", "", "mean")
            self._x_fiducial, self._helium = (
                read_attribute(file, name, above=0) for name in ("x_e_fiducial", "helium")
            )
        if len(self._z) < 2:
            raise DataError(f"catalog {source.name!r}: {source.path} has one redshift; two or more are needed")
        # The components vanish one step beyond their nodes.
        step = np.diff(self._z)[[0, -1]]
        self._edges = np.concatenate([[self._z[0] - step[0]], self._z, [self._z[-1] + step[1]]])

    def _project(self, z_min: float, z_max: float) -> None:
        """Set the matrix from x_HI to the amplitudes, and the amplitudes of a history without neutral hydrogen."""
        z, weight = _quadrature(np.unique(np.concatenate([self._edges, [z_min, z_max]])))
        padded = np.pad(self._component, ((0, 0), (1, 1)))
        measure = np.array([np.interp(z, self._edges, row) for row in padded]) * weight
        measure /= self._edges[-1] - self._edges[0]
        ionised = 1.0 + self._helium
        corners = [ionised, *np.full(len(self._z), self._x_fiducial), 0.0]
        assumed = np.where(z < z_max, ionised, 0.0) - np.interp(z, self._edges, corners)
        inside = (z > z_min) & (z < z_max)
        #: Amplitudes of a history that is ionised up to ``z_max``.
        self._ionised = measure @ assumed
        self._range = (z_min, z_max)
        self._requires = {
            "x_hi": Requirement(
                "x_hi",
                at={"z": z[inside]},
                weights=-ionised * measure[:, inside],
                remedy="Set z_min and z_max to the redshift range of the component that provides x_hi",
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
        given = predictions["x_hi"]
        residual = given.value + (self._ionised - self.mean)
        if given.error is None:
            return -0.5 * xp.sum(xp.matmul(residual, self._whitening) ** 2, axis=1)
        covariance = self._with_error(given, xp)
        chi2 = xp.sum(residual * xp.solve(covariance, residual[:, :, None])[:, :, 0], axis=1)
        return -0.5 * (chi2 + xp.logdet(covariance) - np.linalg.slogdet(self._covariance)[1])

    def _with_error(self, given: Prediction, xp: Namespace) -> Any:
        """Return the covariance ``(n, 5, 5)`` of the amplitudes with the emulator's error.

        Its modes move all amplitudes together. An error whose correlation is unknown is independent for each amplitude.
        """
        if given.modes is None:
            return self._covariance + (given.error**2)[:, :, None] * np.eye(len(self.mean))
        rest = given.independent_variance(xp)[:, :, None] * np.eye(len(self.mean))
        return self._covariance + xp.matmul(xp.transpose(given.modes, (0, 2, 1)), given.modes) + rest

    def simulate(
        self, predictions: Mapping[str, Prediction], parameters: Mapping[str, Any], rng: np.random.Generator | None
    ) -> Self:
        """Return the probe with the same components and other amplitudes."""
        given = predictions["x_hi"]
        mock = copy.copy(self)
        mock.mean = given.value[0] + self._ionised
        if rng is not None:
            covariance = self._covariance if given.error is None else self._with_error(given, NUMPY)[0]
            mock.mean = mock.mean + np.linalg.cholesky(covariance) @ rng.standard_normal(len(self.mean))
        return mock

    def save(self, folder: Path, name: str) -> dict[str, Any]:
        """Write the amplitudes, and all that the likelihood takes from the wheel, for use on this machine."""
        datasets = {
            "z": (self._z, ""),
            "component": (self._component, ""),
            "mean": (self.mean, ""),
            "covariance": (self._covariance, ""),
        }
        attributes = {"x_e_fiducial": self._x_fiducial, "helium": self._helium}
        write_datasets(folder / f"{name}.h5", datasets, attributes)
        return {"catalog": f"{name}.h5"}

    def panels(self) -> tuple[Panel, ...]:
        """Return the panel with the amplitudes, less those of a history without neutral hydrogen."""
        number = np.arange(1.0, len(self.mean) + 1.0)
        error = np.sqrt(np.diag(self._covariance))
        return (
            Panel(
                title=f"Principal components of $x_e(z)$, {self.catalogs[0].name}",
                x_label="component",
                y_label=r"$m_j - m_j(x_{\rm HI} = 0)$",
                x=number,
                y=self.mean - self._ionised,
                error_low=error,
                error_high=error,
                kind=(MEASUREMENT,) * len(number),
                curve=self._requires["x_hi"],
                curve_x=number,
            ),
        )


def _quadrature(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return nodes and weights of the Gauss-Legendre rule between each two edges."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = 0.5 * np.diff(edges)[:, None]
    middle = 0.5 * (edges[1:] + edges[:-1])[:, None]
    return (middle + half * nodes).ravel(), (half * weights).ravel()
