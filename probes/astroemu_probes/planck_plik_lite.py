"""Planck 2018 high multipoles: plik-lite (Planck Collaboration 2020, A&A 641, A5, section 3.2.4).

The data are binned C_l with foregrounds marginalised: TT at 30 <= l <= 2508, TE and EE at 30 <= l <= 1996. The
form is that of Prince & Dunkley (2019, arXiv:1909.05869). The model is divided by ``a_planck^2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astroemu.core.catalog import Catalog, load_catalog
from astroemu.core.datasets import Datasets
from astroemu.core.distributions import Normal
from astroemu.core.parameter import Parameter
from astroemu.errors import DataError
from astroemu.io.paths import FileName
from astroemu_probes.cmb_bandpowers import SPECTRA, UNIT, Band, Bandpowers, read_windows


class PlanckPlikLite(Bandpowers):
    """Bandpowers of Planck 2018.

    Parameters
    ----------
    catalog : str
        Name of an installed catalog, or an HDF5 file with the same layout.
    spectra : tuple of str
        Spectra to use, from TT, TE and EE.
    l_min, l_max : mapping of str to number
        Range of effective multipoles to use, by spectrum; by default all. Together with ACT, use
        ``l_max = {TT = 1000, TE = 600, EE = 600}``.
    """

    parameters = (Parameter("a_planck", Normal(1.0, 0.0025), r"A_{\rm Planck}"),)

    def __init__(
        self,
        catalog: FileName = "planck2018_plik_lite",
        spectra: tuple[str, ...] = SPECTRA,
        l_min: Mapping[str, float] | None = None,
        l_max: Mapping[str, float] | None = None,
    ) -> None:
        source = load_catalog(catalog)
        super().__init__(source, *_read(source), spectra, l_min or {}, l_max or {})

    def calibration(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict.fromkeys(SPECTRA, parameters["a_planck"] ** -2.0)


def _read(source: Catalog) -> tuple[dict[str, Band], NDArray[np.float64]]:
    """Return bands and covariance, from the layout of Planck or from that of mock data (with windows)."""
    with source.hdf5() as file:
        if "window" in file:
            return read_windows(source)
        read = Datasets(file)
        data = read.numbers("bandpower", UNIT)
        lower = read.numbers("covariance_lower", "uK^4", (len(data) * (len(data) + 1) // 2,))
        names = read.texts("spectrum", ("bandpower",))
        first, last = (read.numbers(name, "", ("bin",), above=1).astype(int) for name in ("bin_ell_min", "bin_ell_max"))
        weight = read.numbers("bin_weight", "", (last[-1] - first[0] + 1,))
        ell_eff = read.numbers("ell_eff", "", ("bandpower",), above=0)
    if names.tolist() != [name for name in SPECTRA for _ in range(np.count_nonzero(names == name))]:
        raise DataError(f"catalog {source.name!r}: the spectra of {source.path} must be TT, TE and EE, in this order")
    covariance = np.zeros((len(data), len(data)))
    covariance[np.tril_indices(len(data))] = lower
    covariance += np.tril(covariance, -1).T
    ell = np.arange(first[0], last[-1] + 1.0)
    window = np.zeros((len(first), len(ell)))
    for row, (low, high) in enumerate(zip(first - first[0], last - first[0], strict=True)):
        window[row, low : high + 1] = weight[low : high + 1]
    window *= 2 * np.pi / (ell * (ell + 1))  # the bandpowers are C_ell
    bands = {}
    for name in SPECTRA:
        rows = names == name
        count = int(rows.sum())
        reach = last[count - 1] - first[0] + 1
        bands[name] = Band(data[rows], ell_eff[rows], ell[:reach], window[:count, :reach])
    return bands, covariance
