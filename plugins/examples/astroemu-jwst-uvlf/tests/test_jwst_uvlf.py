"""The probe conforms, its integral is the integral, and scatter brightens the bright end."""

import numpy as np
import pytest
from astroemu_jwst_uvlf import _OFFSETS, JWSTLuminosityFunction, _kernel

from astroemu import Prediction, load_model
from astroemu.core.array_namespace import NUMPY
from astroemu.errors import ConfigurationError
from astroemu.testing import check_probe

SLOPE = 0.4  # of log10 phi_0 by magnitude


def scattered(probe, sigma, slope=SLOPE):
    """phi (bins,) of log10 phi_0 = -4 + slope (M + 20)."""
    log_phi = -4.0 + slope * (probe.requires["log10_uv_lf"].at["m_uv"] + 20.0)
    phi_0 = 10.0 ** log_phi.reshape(1, len(probe.z), len(_OFFSETS))
    return np.sum(phi_0 * _kernel(np.array([sigma]), NUMPY), axis=-1)[0]


def test_it_conforms():
    model = load_model("jwst_uvlf")
    report = check_probe(model.probes["jwst_uvlf"], model.providers)
    report.demand()
    outcomes = {f.check: f.outcome for f in report.findings}
    assert outcomes["simulate, then fit"] == outcomes["requirements resolve"] == "passed"


@pytest.mark.parametrize("sigma", [0.3, 0.8, 1.2])
def test_a_power_law_is_raised_by_the_known_factor(sigma):
    """10^(slope M) convolved with a Gaussian is itself times exp((slope ln 10 sigma)^2 / 2)."""
    probe = JWSTLuminosityFunction()
    factor = scattered(probe, sigma) / 10.0 ** (-4.0 + SLOPE * (probe.m_uv + 20.0))
    np.testing.assert_allclose(factor, np.exp(0.5 * (SLOPE * np.log(10.0) * sigma) ** 2), rtol=0.02)


def test_without_scatter_a_bin_is_its_own():
    probe = JWSTLuminosityFunction()
    np.testing.assert_allclose(scattered(probe, 1e-3), 10.0 ** (-4.0 + SLOPE * (probe.m_uv + 20.0)), rtol=1e-12)


def test_bright_galaxies_gain_most():
    probe = JWSTLuminosityFunction(reference="Harikane+2023")
    steep, shallow = (scattered(probe, 0.8, slope) / scattered(probe, 0.05, slope) for slope in (1.0, 0.3))
    assert np.all(steep > shallow) and np.all(shallow > 1)


def test_a_limit_is_a_measurement_of_zero():
    probe = JWSTLuminosityFunction(reference="Harikane+2023", z_max=17.0, m_uv_min=-25.0)
    assert probe.is_limit.any() and np.all(probe.phi[probe.is_limit] == 0)
    size = len(probe.z) * len(_OFFSETS)
    nothing, much = np.full((1, size), -20.0), np.full((1, size), -3.0)
    found = [
        probe.log_likelihood({"log10_uv_lf": Prediction(v)}, {"sigma_uv": np.array([0.5])}, NUMPY)
        for v in (nothing, much)
    ]
    assert found[0] > found[1]


@pytest.mark.parametrize(
    ("options", "words"), [({"reference": "Donan+2024"}, "Did you mean"), ({"z_min": 30.0}, "no bin")]
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ConfigurationError, match=words):
        JWSTLuminosityFunction(**options)
