"""Fixtures of the tests of the probes."""

from __future__ import annotations

import pytest

from astroemu.core.catalog import load_catalog
from astroemu_probes.cmb_bandpowers import read_spectra


@pytest.fixture(scope="session")
def best_fit():
    """Multipoles and D_ell [uK^2], by spectrum, of Planck's best fit."""
    return read_spectra(load_catalog("planck2018_best_fit"))


@pytest.fixture(scope="session")
def plik(shared_data):
    """The file with Planck's data, which is not passed on with the package."""
    return shared_data / "planck2018_plik_lite.h5"
