"""The optical depth as a derived quantity of a model."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Stub, StubProbe, uniform
from reionization_histories import by_astropy, tanh_history

from astroemu.core.observable import Axis, Observable
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu_plugins.derived.optical_depth import OpticalDepth


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


@pytest.mark.parametrize("options", [{"z_min": 2.0}, {"z_min": 8.0, "z_max": 7.0}, {"y_he": 1.0}])
def test_options_without_meaning_are_refused(options):
    with pytest.raises(ConfigurationError, match="z_min"):
        OpticalDepth(**options)
