"""Derived quantities against astropy's cosmology."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import constants, units
from astropy.cosmology import FlatLambdaCDM as Astropy
from helpers import Stub, StubProbe, uniform
from scipy.integrate import quad

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu_plugins.derived.flat_lambda_cdm import FlatLambdaCDM
from astroemu_plugins.derived.optical_depth import OpticalDepth
from astroemu_plugins.thomson import optical_depth

COSMOLOGIES = ((0.6766, 0.3097, 0.0490), (0.73, 0.25, 0.042), (0.62, 0.36, 0.055))
Y_HE = 0.245


def tanh_history(z, middle=7.7, width=0.5):
    """The ionised fraction of CAMB's hydrogen transition."""
    y, dy = (1 + z) ** 1.5, 1.5 * np.sqrt(1 + middle) * width
    return 0.5 * (1 + np.tanh(((1 + middle) ** 1.5 - y) / dy))


def by_astropy(h, omega_m, omega_b, ionised):
    """tau = int c n_e sigma_T (1 + z)^2 / H dz, all from astropy: [H] with neutrinos, critical density, constants."""
    cosmology = Astropy(H0=100 * h, Om0=omega_m, Ob0=omega_b, Tcmb0=2.7255, Neff=3.046)
    hydrogen = ((1 - Y_HE) * omega_b * cosmology.critical_density0 / constants.m_p).to("1/cm3")
    helium = Y_HE / (4 * (1 - Y_HE))
    sigma = 6.6524587321e-25 * units.cm**2
    scale = (constants.c * hydrogen * sigma / cosmology.H0).to("").value

    def integrand(z):
        return (1 + z) ** 2 * cosmology.inv_efunc(z) * ionised(z) * (1 + helium * (2 if z < 3 else 1))

    return scale * (quad(integrand, 0, 3)[0] + quad(integrand, 3, 30, limit=200)[0])


@pytest.mark.parametrize("cosmology", COSMOLOGIES)
@pytest.mark.parametrize("history", [tanh_history, lambda z: np.where(z < 6.0, 1.0, np.exp((6 - z) / 2))])
def test_tau_is_that_of_astropy(cosmology, history):
    z = np.linspace(5, 30, 251)
    found = optical_depth(*(np.array([value]) for value in cosmology), z, history(z)[None], NUMPY, Y_HE)
    assert found[0] == pytest.approx(by_astropy(*cosmology, history), rel=3e-4)


def test_a_batch_is_its_points():
    h, omega_m, omega_b = (np.array(column) for column in zip(*COSMOLOGIES, strict=True))
    z = np.linspace(5, 30, 101)
    ionised = np.stack([tanh_history(z, middle) for middle in (6.5, 7.5, 9.0)])
    together = optical_depth(h, omega_m, omega_b, z, ionised, NUMPY)
    for i in range(3):
        alone = optical_depth(h[i : i + 1], omega_m[i : i + 1], omega_b[i : i + 1], z, ionised[i : i + 1], NUMPY)
        assert alone[0] == pytest.approx(together[i], rel=1e-14)


def test_tau_follows_the_history_in_a_model():
    z = np.linspace(5.0, 30.0, 251)
    history = Stub(
        ("middle",),
        {Observable("x_hi", (Axis("z", z),)): lambda t: np.stack([1 - tanh_history(z, m) for m in t[:, 0]])},
    )
    cosmology = Stub(
        ("h",),
        {
            Observable("omega_m"): lambda t: np.full(len(t), 0.31),
            Observable("omega_b"): lambda t: np.full(len(t), 0.049),
        },
    )
    probe = StubProbe(Requirement("tau_e"))
    providers = {"history": history, "cosmology": cosmology, "optical_depth": OpticalDepth()}
    model = Model(uniform(h=(0.6, 0.8), middle=(6, 10)), providers, {"p": probe})
    theta = np.array([[0.6766, 7.7], [0.7, 8.5]])
    model.log_likelihood(theta)
    for row, point in zip(probe.seen.value[:, 0], theta, strict=True):
        expected = by_astropy(point[0], 0.31, 0.049, lambda x, middle=point[1]: tanh_history(x, middle))
        assert row == pytest.approx(expected, rel=5e-4)


def test_density_parameters():
    evaluate = FlatLambdaCDM(m_nu=0.06).evaluator({"omega_m": np.array([0]), "omega_b": np.array([0])})
    found = evaluate(np.array([[0.02237, 0.12, 0.6736]]), {}, NUMPY)
    # Planck 2018 VI, table 2: Omega_m = 0.3153 at H0 = 67.36.
    assert found["omega_m"].value[0, 0] == pytest.approx(0.3153, abs=2e-4)
    assert found["omega_b"].value[0, 0] == pytest.approx(0.02237 / 0.6736**2)


@pytest.mark.parametrize("options", [{"z_min": 2.0}, {"z_min": 8.0, "z_max": 7.0}, {"y_he": 1.0}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigurationError, match="z_min"):
        OpticalDepth(**options)
    with pytest.raises(ConfigurationError, match="m_nu"):
        FlatLambdaCDM(m_nu=-1)
