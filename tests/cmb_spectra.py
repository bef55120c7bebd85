"""Spectra of the CMB for tests of its likelihoods: read from files, and passed to a probe as the engine does."""

from __future__ import annotations

import h5py
import numpy as np

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction

NAMES = ("TT", "TE", "EE")


def spectra(path, group="test"):
    """Return the multipoles and D_ell [uK^2], by spectrum, that a file holds for tests."""
    with h5py.File(path) as file:
        return file[group]["ell"][()], dict(zip(NAMES, file[group]["D_ell"][()].astype(float), strict=True))


def windowed(probe, ell, table):
    """Return the predictions that a probe gets for spectra given at every multipole; zero beyond them."""
    found = {}
    for name, band in probe.bands.items():
        curve = np.interp(band.ell, ell, table[name], left=0.0, right=0.0)
        found[name] = Prediction((band.window @ curve)[None])
    return found


def log_likelihood(probe, ell, table, **parameters):
    """Return the log-likelihood of spectra given at every multipole; a calibration that is not given is one."""
    given = {p.name: np.array([parameters.get(p.name, 1.0)]) for p in probe.parameters}
    return probe.log_likelihood(windowed(probe, ell, table), given, NUMPY)[0]
