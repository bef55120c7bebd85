"""Data sets in candl's format, written from the catalogs of astroemu and from small made-up numbers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import yaml

#: An import of candl by the test itself would switch JAX to double precision for all tests.
needs_candl = pytest.mark.skipif(not (find_spec("candl") and find_spec("jax")), reason="needs candl and JAX")

ACT_MODEL = [
    {"Module": "common.CalibrationSingleScalarSquared", "cal_param": "A_act"},
    {"Module": "common.PolarisationCalibrationDivision", "cal_param": "P_act"},
]
ACT_PRIORS = [
    {"par_names": "tau", "central_value": 0.0566, "prior_std": 0.0058},
    {"par_names": "A_act", "central_value": 1.0, "prior_std": 0.003},
]


def write_data_set(folder: Path, spectra, data, covariance, windows, model, priors, **more) -> Path:
    """Write a data set: bandpowers of some spectra, and windows ``(l, m)`` that start at l = 2; return its folder."""
    (folder / "windows").mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "bdp.txt", data)
    np.savetxt(folder / "cov.txt", covariance)
    for (name, _), window in zip(spectra, windows, strict=True):
        ell = np.arange(2, len(window) + 2)
        table = np.column_stack([ell, window])
        np.savetxt(folder / "windows" / f"{name.replace(' ', '_')}_window_functions.txt", table, fmt="%.17g")
    content = {
        "name": "A test",
        "band_power_file": "bdp.txt",
        "covariance_file": "cov.txt",
        "window_functions_folder": "windows/",
        "spectra_info": [{name: int(size)} for name, size in spectra],
        "data_model": model,
        "priors": priors,
        **more,
    }
    text = "# https://arxiv.org/abs/2503.14452\n" + yaml.safe_dump(content)
    (folder / "data_set.yaml").write_text(text)
    return folder


def from_bands(folder: Path, probe, covariance, model, priors) -> Path:
    """Write the bandpowers of one of our CMB probes, before any change of its windows."""
    windows = [_from_two(band) for band in probe.bands.values()]
    spectra = [(f"{name} lxl", len(band.data)) for name, band in probe.bands.items()]
    return write_data_set(folder, spectra, probe.data, covariance, windows, model, priors)


def _from_two(band):
    """Return the window ``(l, m)`` of a band from l = 2 on."""
    whole = np.zeros((int(band.ell[-1]) - 1, len(band.data)))
    whole[band.ell.astype(int) - 2] = band.window.T
    return whole


def small(folder: Path, **more) -> Path:
    """Write a data set of three TT bandpowers up to l = 61, with a calibration that has a prior."""
    window = np.zeros((60, 3))
    for j in range(3):
        window[20 * j : 20 * (j + 1) - 2, j] = 1.0 / 18.0
    model = [{"Module": "common.CalibrationSingleScalarSquared", "cal_param": "A_cal"}]
    priors = [{"par_names": "A_cal", "central_value": 1.0, "prior_std": 0.01}]
    covariance = np.array([[400.0, 50.0, 0.0], [50.0, 300.0, 30.0], [0.0, 30.0, 500.0]])
    given = {"model": model, "priors": priors, **{key: more.pop(key) for key in ("model", "priors") if key in more}}
    return write_data_set(folder, [("TT lxl", 3)], [1000.0, 900.0, 1200.0], covariance, [window], **given, **more)


def small_lensing(folder: Path) -> Path:
    """Write a lensing data set of two bandpowers of the convergence up to l = 41."""
    window = np.zeros((40, 2))
    window[:20, 0] = window[20:, 1] = 0.05
    return write_data_set(folder, [("kk", 2)], [1e-7, 2e-7], np.diag([1e-16, 4e-16]), [window], model=[], priors=[])
