"""Conversion of the published Planck 2018 plik-lite files to one HDF5 file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import FortranFile

from astroemu.errors import DataError
from astroemu.io.hdf5 import write_hdf5

FILES = {
    "cl_cmb_plik_v22.dat": "dac0d9d493213e77c940a10a968cf0da3c5730bae60e1356c4cd8bcff96377ff",
    "c_matrix_plik_v22.dat": "ad90378c50bd67841764179c90ae6711fa4317c649966ab2b0712143b31e0a32",
    "blmin.dat": "325b351cbf8f694556bb13e98f285344e8d66811bb8eef18bcdcf1626518719d",
    "blmax.dat": "c28ade0fa5270c7e87ba07bdcb68aef8783b132b352bfaa36c04d17694ab4014",
    "bweight.dat": "8afcbd8bad769e2de96bacd80177e6543f96b2b406e6c2da1fd0d26718c9e415",
}
_COUNTS = {"TT": 215, "TE": 199, "EE": 199}
_FIRST = 30  # multipole of the first weight


def convert(folder: Path, path: Path) -> None:
    """Convert the files in ``folder`` to the HDF5 file ``path``.

    Raises
    ------
    DataError
        If the files do not have the expected sizes.
    """
    n = sum(_COUNTS.values())
    centre, band, sigma = np.loadtxt(folder / "cl_cmb_plik_v22.dat", unpack=True)
    with FortranFile(folder / "c_matrix_plik_v22.dat") as file:
        covariance = file.read_reals(dtype=float)
    first, last = (np.loadtxt(folder / name)[: _COUNTS["TT"]].astype(int) for name in ("blmin.dat", "blmax.dat"))
    weight = np.loadtxt(folder / "bweight.dat")[: last[-1] + 1]  # the weights of TE and EE are the same
    if band.shape != (n,) or covariance.shape != (n * n,) or len(weight) != last[-1] + 1:
        raise DataError(f"{folder}: the plik-lite files do not have the expected sizes; download them again")
    spectrum = np.repeat(list(_COUNTS), list(_COUNTS.values())).astype("S2")
    written: dict[str, tuple[NDArray[np.generic], str, str]] = {
        "bandpower": (band, "uK2", "(613,) binned C_ell in the order TT, TE, EE"),
        "sigma": (sigma, "uK2", "(613,) quoted errors"),
        "ell_eff": (centre, "", "(613,) effective multipole of each bin"),
        "spectrum": (spectrum, "", "(613,) spectrum of each bandpower"),
        # The file has only the upper triangle, in column order. In row order this is the lower triangle.
        "covariance_lower": (
            covariance.reshape(n, n)[np.tril_indices(n)],
            "uK4",
            "lower triangle with diagonal of the (613, 613) covariance, row by row",
        ),
        "bin_ell_min": (first + _FIRST, "", "(215,) first multipole of each bin"),
        "bin_ell_max": (last + _FIRST, "", "(215,) last multipole of each bin"),
        "bin_weight": (weight, "", "(2479,) weight of multipole ell at index ell - 30"),
    }

    def write(file: h5py.File) -> None:
        file.attrs["title"] = "Planck 2018 high-ell CMB-only bandpowers (plik-lite TTTEEE)"
        for name, (values, units, description) in written.items():
            file[name] = values
            file[name].attrs["units"] = units
            file[name].attrs["description"] = description

    write_hdf5(path, write)
