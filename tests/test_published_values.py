"""The likelihoods of 21CMMC, written as scalar formulas, against ``like_21cmmc.toml``.

One stub provides arbitrary smooth observables. The joint model and the formulas of the papers must agree in every
number.
"""

from __future__ import annotations

import math
import warnings

import h5py
import numpy as np
import pytest
from scipy.interpolate import InterpolatedUnivariateSpline, RectBivariateSpline

import astroemu
from astroemu.core.distributions import Uniform
from astroemu.core.provider import Prediction, Provider
from astroemu.errors import DoubleCountingWarning
from astroemu.model.model import Model

WITH_21CMMC = astroemu.load_configuration("like_21cmmc")


class Smooth(Provider):
    """Two parameters scale smooth functions on the grids of the shipped emulator."""

    parameters = ("amplitude", "shift")

    def __init__(self):
        acg = astroemu.load_emulator("acg")
        self._provides = {name: acg.provides[name] for name in ("delta21_sq", "x_hi", "tau_e", "log10_uv_lf")}

    @property
    def provides(self):
        return self._provides

    def values(self, amplitude, shift):
        """Return all observables on their grids, for one point."""
        z, k = (axis.values for axis in self._provides["delta21_sq"].axes)
        z_lf, m_uv = (axis.values for axis in self._provides["log10_uv_lf"].axes)
        bump = 1 + 0.5 * np.sin(z[:, None]) * np.cos(3 * np.log(k))
        return {
            "delta21_sq": amplitude * (10 / (1 + z[:, None])) ** 2 * (k / 0.3) ** 0.4 * bump,
            "x_hi": 1 / (1 + np.exp(-(self._provides["x_hi"].axes[0].values - 7 + shift))),
            "tau_e": np.array(0.05 + 0.01 * shift),
            "log10_uv_lf": -2.2 + 0.45 * (m_uv + 18) - 0.02 * (m_uv + 18) ** 2 - 0.3 * (z_lf[:, None] - 6 + shift),
        }

    def evaluator(self, rows):
        def evaluate(theta, observables, xp):
            points = [self.values(a, b) for a, b in theta]
            return {name: Prediction(np.stack([p[name].ravel()[r] for p in points])) for name, r in rows.items()}

        return evaluate


@pytest.fixture(scope="module")
def model():
    prior = astroemu.Prior(
        (astroemu.Parameter("amplitude", Uniform(0, 1e5)), astroemu.Parameter("shift", Uniform(-2, 2)))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DoubleCountingWarning)
        return Model(prior, {"smooth": Smooth()}, WITH_21CMMC.probes())


def hera(p, z, k, catalog):
    """Return the sum of ``ln [(1 + erf) / 2]`` of 21CMMC: splines in z and k, k held at the last node, 20 % error."""
    spline = RectBivariateSpline(z, k, p)
    total = 0.0
    with h5py.File(catalog) as file:
        for band in ("band1", "band2"):
            for field in file[band].values():
                at = np.clip(field["k_window"][()], k[0], k[-1])
                m = field["window"][()] @ spline(file[band].attrs["redshift"], at)[0]
                s = np.sqrt(field["variance"][()] + (0.2 * m) ** 2)
                x = (field["delta2"][()] - m) / s
                total += sum(math.log(0.5 * math.erfc(-v / math.sqrt(2))) for v in x)
    return total


@pytest.mark.parametrize("theta", [(0.0, 0.0), (30.0, 0.3), (400.0, -0.5), (3000.0, 0.0)])
def test_power_spectrum(model, theta):
    probe = model.probes["power_spectrum_21cm"]
    z, k = (axis.values for axis in model.observables["delta21_sq"].axes)
    expected = hera(Smooth().values(*theta)["delta21_sq"], z, k, probe.catalogs[0].path)
    found = model.log_likelihood_by_probe(np.array([theta]))["power_spectrum_21cm"][0]
    assert found == pytest.approx(expected, abs=1e-9)


def test_zero_signal_is_the_published_constant(model):
    probe = model.probes["power_spectrum_21cm"]
    assert len(probe.data) == 173
    found = model.log_likelihood_by_probe(np.array([[0.0, 0.0]]))["power_spectrum_21cm"][0]
    assert found == pytest.approx(-59.80, abs=0.005)


def test_a_huge_signal_has_no_plateau(model):
    theta = np.column_stack([np.geomspace(1e3, 1e5, 8), np.zeros(8)])
    found = model.log_likelihood_by_probe(theta)["power_spectrum_21cm"]
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) < 0)


@pytest.mark.parametrize("shift", [-0.7, 0.0, 0.4])
def test_uv_luminosity_functions(model, shift):
    table = astroemu.load_catalog("uv_luminosity_function_21cmmc").table()
    z_lf, m_uv = (axis.values for axis in model.observables["log10_uv_lf"].axes)
    values = Smooth().values(0.0, shift)["log10_uv_lf"]
    expected, used = 0.0, 0
    for i, z in enumerate(z_lf):
        spline = InterpolatedUnivariateSpline(m_uv, values[i])
        for row in table[(table["z"] == z) & (table["M_UV"] > -20)]:
            expected += -0.5 * ((row["phi"] - 10 ** float(spline(row["M_UV"]))) / row["err_up"]) ** 2
            used += 1
    assert used == 27
    found = model.log_likelihood_by_probe(np.array([[0.0, shift]]))["uv_luminosity_function"][0]
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("shift", [-1.5, 0.0, 1.8])
def test_optical_depth(model, shift):
    mu, up, low, tau = 0.0569, 0.0081, 0.0066, 0.05 + 0.01 * shift
    expected = -0.5 * (mu - tau) ** 2 / (up * low + (up - low) * (tau - mu))
    assert model.log_likelihood_by_probe(np.array([[0.0, shift]]))["optical_depth"][0] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [-2.0, 0.0, 1.5])
def test_neutral_fraction(model, shift):
    z = model.observables["x_hi"].axes[0].values
    x = Smooth().values(0.0, shift)["x_hi"]
    at = x[0] + (5.9 - z[0]) * (x[1] - x[0]) / (z[1] - z[0])
    expected = 0.0 if at <= 0.06 else -0.5 * ((0.06 - at) / 0.05) ** 2
    found = model.log_likelihood_by_probe(np.array([[0.0, shift]]))["neutral_fraction"][0]
    assert found == pytest.approx(expected, abs=1e-12)


def test_the_double_counting_of_qin_is_named():
    with pytest.warns(DoubleCountingWarning) as caught:
        WITH_21CMMC.model()
    messages = " ".join(str(w.message) for w in caught)
    for words in ("'optical_depth'", "'galaxy UV luminosity functions'", "'quasar dark fraction'"):
        assert words in messages
