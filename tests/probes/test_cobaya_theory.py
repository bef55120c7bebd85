"""What Cobaya's likelihoods receive: distances against astropy, units of spectra, numbers."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import ConfigurationError

pytest.importorskip("cobaya")
theory = pytest.importorskip("astroemu_probes.cobaya_theory")

ELL = np.arange(2.0, 31.0)


@pytest.fixture
def given():
    """The theory at one point: two spectra, and a cosmology."""
    made = theory.Predictions()
    made.must_provide(Cl={"te": 20, "EE": 10}, H0=None)
    made.must_provide(Cl={"te": 30, "pp": 30}, Hubble={"z": [0.5]})
    spectra = {"te": np.ones(29), "ee": 2.0 * np.ones(9), "pp": 3.0 * np.ones(29)}
    made.given = {**spectra, "h": np.array([0.7]), "omega_m": np.array([0.3])}
    return made


@pytest.mark.filterwarnings("ignore")
def test_distances_are_those_of_astropy():
    from astropy import units
    from astropy.cosmology import FlatLambdaCDM

    h, omega_m = 0.674, 0.315
    masses = [0.0, 0.0, 0.06] * units.eV
    neutrinos = 0.06 / 93.14 / h**2
    theirs = FlatLambdaCDM(H0=100 * h, Om0=omega_m - neutrinos, Tcmb0=2.7255, Neff=3.044, m_nu=masses)
    z = np.array([0.01, 0.38, 0.7, 1.48, 2.33, 5.0])
    np.testing.assert_allclose(theory.expansion_rate(z, h, omega_m), theirs.H(z).value, rtol=3e-5)
    np.testing.assert_allclose(theory.comoving_distance(z, h, omega_m), theirs.comoving_distance(z).value, rtol=3e-5)


def test_requirements_are_those_that_cobaya_asked_for(given):
    found = given.requirements()
    assert {name: (r.observable, r.unit, r.size) for name, r in found.items()} == {
        "te": ("d_ell_te", "uK^2", 29),
        "ee": ("d_ell_ee", "uK^2", 9),
        "pp": ("d_ell_pp", "", 29),
        "h": ("h", "", 1),
        "omega_m": ("omega_m", "", 1),
    }


def test_spectra_have_the_units_and_factors_of_cobaya(given):
    found = given.get_Cl(ell_factor=True)
    assert len(found["ell"]) == 31 and found["te"][2] == 1.0 and found["et"] is found["te"]
    np.testing.assert_array_equal(found["ee"], np.r_[0, 0, 2 * np.ones(9), np.zeros(20)])
    plain = given.get_Cl(units="K2")
    np.testing.assert_allclose(plain["te"][2:], 2 * np.pi / (ELL * (ELL + 1)) * 1e-12)
    np.testing.assert_allclose(plain["pp"][2:], 3 * 2 * np.pi / (ELL * (ELL + 1)) ** 2)


def test_numbers_and_distances_are_those_of_the_point(given):
    state = {}
    given.calculate(state)
    assert state["derived"] == {"H0": pytest.approx(70.0)}
    assert given.get_Hubble(0.0)[0] == pytest.approx(70.0, rel=1e-12)
    assert given.get_Hubble([0.0], units="1/Mpc")[0] == pytest.approx(70.0 / 299792.458)
    distance = given.get_comoving_radial_distance([0.5, 1.0])
    np.testing.assert_allclose(given.get_angular_diameter_distance([0.5, 1.0]), distance / [1.5, 2.0])


def test_an_unknown_spectrum_is_named():
    with pytest.raises(ConfigurationError, match="needs the spectrum 'tb'"):
        theory.Predictions().must_provide(Cl={"tb": 100})
