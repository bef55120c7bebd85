"""Density parameters from physical densities."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.errors import ConfigurationError
from astroemu_plugins.derived.flat_lambda_cdm import FlatLambdaCDM


def test_density_parameters():
    evaluate = FlatLambdaCDM(m_nu=0.06).evaluator({"omega_m": np.array([0]), "omega_b": np.array([0])})
    found = evaluate(np.array([[0.02237, 0.12, 0.6736]]), {}, NUMPY)
    # Planck 2018 VI, table 2: Omega_m = 0.3153 at H0 = 67.36.
    assert found["omega_m"].value[0, 0] == pytest.approx(0.3153, abs=2e-4)
    assert found["omega_b"].value[0, 0] == pytest.approx(0.02237 / 0.6736**2)


def test_negative_masses_are_refused():
    with pytest.raises(ConfigurationError, match="m_nu"):
        FlatLambdaCDM(m_nu=-1)
