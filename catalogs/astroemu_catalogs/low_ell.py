"""Conversion of the data of ELiCA 0.1.0 and RELIKE 0.0.4, as their wheels hold them, to HDF5 layouts.

Neither may be passed on with astroemu: the wheel ``elica`` states no licence, and that of ``relike`` is GPLv3. The code
of the wheels is not used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from astroemu.core.typing import FloatArray

ELICA_FILES = {
    "elica/data/cl_hat.dat": "45abd202083f197cdff8993e436ceb7bb0685787de326ebf31e7fb34c21aae0e",
    "elica/data/cl_noise.dat": "2ff43f0c89cccc4e0a166d6c8991121aae5d22fb14ae7c79697160e1967e7719",
    "elica/data/offset.dat": "9d730b1a5ce1ae3722d20617d9f4b3a65b589319667fc7b5ff5401812f32c722",
    "elica/data/cl_fiducial.dat": "3916622449859bb1f6b5c3c7b58fcc0cf6e90dae79ba1b19517d8eef0ee2d8d0",
    "elica/data/covmat_full.dat": "27e064a67ec6e13c251153a505f6781aa03a76aad7272c4f35c284e5e73e6987",
}
#: Number of simulations behind the covariance (Genesini et al. 2026; ``number_simulations`` in the wheel).
_SIMULATIONS = 500
#: Columns of ``covmat_full.dat``, at each multipole, in the order of the spectra. The file has 143x143 before 100xWL:
#: with these columns, its blocks are the matrices of the wheel's other files. Its ``full.dataset`` names another order.
_COLUMNS = (0, 1, 3, 2, 4, 5)

RELIKE_FILES = {
    "relike/data/pl18_zmax30/pc.dat": "69bdbecb33f557b8caec17ad3d59a0b622502bc17f13d5feda223d1da7766f32",
    "relike/data/pl18_zmax30/mean.dat": "752bdc4b43d3052db8bd2fdb4b24b90aed0adb4d46dd8b12e9b84d46da963ba9",
    "relike/data/pl18_zmax30/invcov.dat": "fb84460f4e1ece6106a18ef69cd9ae6261bab65face9ad5b5cab92dab69bfc6f",
}
#: Electrons per hydrogen nucleus of the fiducial history, and helium mass fraction of the analysis.
_FIDUCIAL, _Y_HE = 0.15, 0.2453368
#: Mass of a helium atom over that of a hydrogen atom.
_HELIUM_MASS = 3.9715


def convert_elica(paths: list[Path], file: Any) -> None:
    """Write the spectra of ELiCA into an HDF5 file: six pairs of the maps 100 GHz, 143 GHz and WMAP-LFI."""
    data, noise, offset, fiducial, covariance = (np.loadtxt(path) for path in paths)
    ell = data[:, 0]
    rows = (6 * np.arange(len(ell))[:, None] + np.array(_COLUMNS)).ravel()
    _write(
        file,
        ell=(ell, "", "(28,) multipoles"),
        D_ell=(data[:, 1:], "uK2", "(28, 6) spectra of 11, 12, 13, 22, 23, 33, with the noise of a map's own spectrum"),
        noise=(noise[:, 1:], "uK2", "(28, 6) mean spectra of the noise"),
        offset=(offset[:, 1:], "uK2", "(28, 6) offsets that make data and model positive"),
        fiducial=(fiducial[:, 1], "uK2", "(28,) fiducial EE"),
        covariance=(covariance[np.ix_(rows, rows)], "uK4", "(168, 168) of the spectra, multipole by multipole"),
    )
    file.attrs["simulations"] = _SIMULATIONS


def convert_relike(paths: list[Path], file: Any) -> None:
    """Write the principal components of RELIKE, and their Gaussian, into an HDF5 file."""
    components, mean, inverse = (np.loadtxt(path) for path in paths)
    covariance = np.linalg.inv(inverse)
    _write(
        file,
        z=(components[:, 0], "", "(95,) redshifts"),
        component=(components[:, 1:].T, "", "(5, 95) principal components of x_e"),
        mean=(mean, "", "(5,) amplitudes"),
        covariance=(0.5 * (covariance + covariance.T), "", "(5, 5) of the amplitudes"),
    )
    file.attrs["x_e_fiducial"] = _FIDUCIAL
    file.attrs["helium"] = _Y_HE / (_HELIUM_MASS * (1.0 - _Y_HE))


def _write(file: Any, **datasets: tuple[FloatArray, str, str]) -> None:
    for name, (values, units, description) in datasets.items():
        file[name] = values
        file[name].attrs["units"] = units
        file[name].attrs["description"] = description
