"""Planck's low multipoles: the values of their package, and spectra without power."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.provider import Prediction
from astroemu.errors import ConfigurationError, DataError
from astroemu_catalogs import PLANCK2018_LOW_ELL
from astroemu_probes.planck_low_ell import PlanckLowEll


def test_low_multipoles_give_the_values_of_their_package(plik):
    with h5py.File(plik) as file:
        ell, (tt, ee) = file["test_low_ell/ell"][()], file["test_low_ell/C_ell"][()]
    spectrum = {"TT": tt * ell * (ell + 1) / (2 * np.pi), "EE": ee * ell * (ell + 1) / (2 * np.pi)}
    # The numbers of the bins are kept to nine digits.
    for name, expected in (("TT", -11.660802), ("EE", 9.656235)):
        probe = PlanckLowEll(spectra=(name,))
        requirement = probe.requires[name]
        value = requirement.weights @ np.interp(requirement.at["ell"], ell, spectrum[name])
        assert probe.log_likelihood({name: Prediction(value[None])}, {}, NUMPY)[0] == pytest.approx(expected, abs=2e-6)


def test_low_multipoles_of_no_power_are_impossible():
    probe = PlanckLowEll(spectra=("EE",))
    value = np.array([[-0.01, 0.02, 0.03], [0.03, 0.02, 0.03]])
    found = probe.log_likelihood({"EE": Prediction(value)}, {}, NUMPY)
    assert found[0] == -np.inf and np.isfinite(found[1])
    wider = probe.log_likelihood({"EE": Prediction(value, 0.01 * np.ones((2, 3)))}, {}, NUMPY)
    assert np.isfinite(wider[1]) and wider[1] != found[1]


@pytest.mark.parametrize(
    ("probe", "options", "message"),
    [
        (PlanckLowEll, {"spectra": ("TE",)}, "'TE' is not in"),
        (PlanckLowEll, {"spectra": ()}, "at least one"),
    ],
)
def test_options_without_meaning_are_refused(probe, options, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        probe(**options)


@pytest.mark.attack("data", "bins of the low multipoles: reversed, of half a multipole, without width, unknown")
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("TT,2,15,", "TT,15,2,", "row 1: ell_min and ell_max must be integers, with ell_min <= ell_max"),
        ("EE,10,29,", "EE,1,29,", "row 5: the column 'ell_min' is 1; it must be above 1"),
        (",0.0924698209,", ",0.0,", "row 1: the column 'sigma' is 0; it must be above 0"),
        (",0.0924698209,", ",,", "row 1: no number in the column 'sigma'"),
        ("TT,2,15,", "tt,2,15,", "row 1: the column 'spectrum' is 'tt'"),
    ],
)
def test_bins_without_meaning_are_refused(tmp_path, old, new, message):
    text = PLANCK2018_LOW_ELL.path.read_text()
    assert old in text
    path = tmp_path / "mine.ecsv"
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError, match=message):
        PlanckLowEll(str(path))
