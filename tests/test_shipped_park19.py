"""The shipped emulator of galaxies in any cosmology, compared with its simulator."""

from __future__ import annotations

import numpy as np
import pytest

import astroemu
from astroemu.core.array_namespace import NUMPY
from astroemu_plugins.simulators.park19 import Park19
from astroemu_plugins.thomson import optical_depth


@pytest.fixture(scope="module")
def emulator():
    return astroemu.load_emulator("park19_cosmology")


@pytest.fixture(scope="module")
def theta(emulator):
    """Points near the posterior of `reionization_cmb`."""
    rng = np.random.default_rng(1)
    middle = {"log10_f_star10": -1.3, "alpha_star": 0.5, "log10_f_esc10": -1.1, "alpha_esc": -0.3, "t_star": 0.5}
    middle |= {"log10_m_turn": 8.7, "clumping": 3.0, "h": 0.67, "omega_m": 0.32, "omega_b": 0.049, "sigma_8": 0.81}
    middle |= {"n_s": 0.97}
    width = {"h": 0.01, "omega_m": 0.015, "omega_b": 0.001, "sigma_8": 0.01, "n_s": 0.008, "alpha_star": 0.1}
    columns = [middle[name] + width.get(name, 0.15) * rng.standard_normal(60) for name in emulator.parameters]
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def truth(emulator, theta):
    simulator = Park19()
    columns = [emulator.parameters.index(p.name) for p in simulator.parameters]
    return simulator.simulate(theta[:, columns])


def test_luminosity_functions(emulator, theta, truth):
    error = np.abs(emulator.predict(theta)["log10_uv_lf"] - truth["log10_uv_lf"])[truth["log10_uv_lf"] > -6]
    assert np.median(error) < 0.01 and np.quantile(error, 0.95) < 0.03  # dex; the data have 0.05 and more


def test_history_and_optical_depth(emulator, theta, truth):
    x_hi = emulator.predict(theta)["x_hi"]
    assert np.quantile(np.abs(x_hi - truth["x_hi"]), 0.95) < 0.01
    h, omega_m, omega_b = (theta[:, emulator.parameters.index(name)] for name in ("h", "omega_m", "omega_b"))
    z = emulator.provides["x_hi"].axes[0].values
    tau = optical_depth(h, omega_m, omega_b, z, 1.0 - x_hi, NUMPY)
    assert np.quantile(np.abs(tau - truth["tau_e"]), 0.95) < 6e-4  # a tenth of Planck's error
