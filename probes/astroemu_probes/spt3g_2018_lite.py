"""SPT-3G 2018: TT, TE and EE with foregrounds marginalised (Balkenhol et al. 2023, arXiv:2212.05642).

The motion of the Solar System aberrates the small field of the survey. The term ``-a l dC_l/dl`` is therefore
added to the spectra, with ``a`` from the catalog (Jeong et al. 2014, arXiv:1309.2285, eq. 23). The model is then
divided by ``t_cal_spt^2``, ``t_cal_spt e_cal_spt`` and ``e_cal_spt^2``. The two calibration parameters have a
joint Gaussian prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from astroemu.core.array_namespace import Namespace
from astroemu.core.catalog import Catalog, load_catalog
from astroemu.core.datasets import Datasets, read_attribute
from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.typing import FloatArray
from astroemu.io.paths import FileName
from astroemu_probes.cmb_bandpowers import SPECTRA, Band, Bandpowers, read_windows


class Spt3g2018Lite(Bandpowers):
    """Bandpowers of SPT-3G 2018.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with the same layout.
    spectra : tuple of str
        Spectra to use, from TT, TE and EE.
    l_min, l_max : mapping of str to number
        Range of effective multipoles to use, by spectrum; by default all.
    """

    # The priors are flat here, because the joint prior is part of the likelihood.
    parameters = (
        Parameter("t_cal_spt", Uniform(0.95, 1.05), r"T_{\rm cal}^{\rm SPT}"),
        Parameter("e_cal_spt", Uniform(0.9, 1.1), r"E_{\rm cal}^{\rm SPT}"),
    )

    def __init__(
        self,
        catalog: FileName = "spt3g_2018_lite",
        spectra: tuple[str, ...] = SPECTRA,
        l_min: Mapping[str, float] | None = None,
        l_max: Mapping[str, float] | None = None,
    ) -> None:
        source = load_catalog(catalog)
        bands, covariance = read_windows(source)
        aberration, prior = _calibration(source)
        self._precision = np.linalg.inv(prior)
        bands = {name: _aberrated(band, aberration) for name, band in bands.items()}
        super().__init__(source, bands, covariance, spectra, l_min or {}, l_max or {})

    def calibration(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        t, e = 1.0 / parameters["t_cal_spt"], 1.0 / parameters["e_cal_spt"]
        return {"TT": t * t, "TE": t * e, "EE": e * e}

    def _content(self) -> tuple[dict[str, tuple[Any, str]], dict[str, Any]]:
        datasets, attributes = super()._content()
        # The windows already include the aberration.
        datasets["calibration_covariance"] = (np.linalg.inv(self._precision), "")
        return datasets, {**attributes, "aberration_coefficient": 0.0}

    def log_prior(self, parameters: Mapping[str, Any], xp: Namespace) -> Any:
        x, y = parameters["t_cal_spt"] - 1.0, parameters["e_cal_spt"] - 1.0
        (xx, xy), (_, yy) = self._precision
        return -0.5 * (xx * x * x + 2.0 * xy * x * y + yy * y * y)


def _calibration(source: Catalog) -> tuple[float, FloatArray]:
    with source.hdf5() as file:
        prior = Datasets(file).covariance("calibration_covariance", "", "calibration")
        return read_attribute(file, "aberration_coefficient"), prior


def _aberrated(band: Band, coefficient: float) -> Band:
    """Return the band with the aberration, which is linear in the spectrum, included in the windows."""
    factor = band.ell * (band.ell + 1) / (2 * np.pi)
    # These are the rows of W diag(l f) G diag(1 / f), where G is the matrix of np.gradient.
    weighted = band.window * (band.ell * factor)
    derived = np.zeros_like(band.window)
    derived[:, 2:] += 0.5 * weighted[:, 1:-1]
    derived[:, :-2] -= 0.5 * weighted[:, 1:-1]
    derived[:, 1] += weighted[:, 0]
    derived[:, 0] -= weighted[:, 0]
    derived[:, -1] += weighted[:, -1]
    derived[:, -2] -= weighted[:, -1]
    return replace(band, window=band.window - coefficient * derived / factor)
