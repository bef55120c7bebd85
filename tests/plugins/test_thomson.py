"""The Thomson optical depth against an integral over astropy's cosmology."""

from __future__ import annotations

import numpy as np
import pytest
from reionization_histories import Y_HE, by_astropy, tanh_history

from astroemu.core.array_namespace import NUMPY
from astroemu_plugins.thomson import optical_depth

#: h, Omega_m and Omega_b.
COSMOLOGIES = ((0.6766, 0.3097, 0.0490), (0.73, 0.25, 0.042), (0.62, 0.36, 0.055))


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
