"""Times by component."""

from __future__ import annotations

import time

import numpy as np

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.model.model import Model
from astroemu.model.profile import Profile
from astroemu.report.tables import profile_table


class Emulator(Provider):
    """Gives its parameter."""

    parameters = ("a",)
    provides = {"y": Observable("y")}  # noqa: RUF012

    def evaluator(self, rows):
        return lambda theta, observables, xp: {"y": Prediction(theta)}


class Slow(Probe):
    """Takes ten milliseconds a call."""

    requires = {"y": Requirement("y")}  # noqa: RUF012

    def log_likelihood(self, predictions, parameters, xp):
        time.sleep(0.01)
        return -(predictions["y"].value[:, 0] ** 2)


def test_the_slow_part_is_found():
    model = Model(Prior((Parameter("a", Uniform(0.0, 1.0)),)), {"same": Emulator()}, {"same": Slow()}, engine="numpy")
    untimed = model.log_likelihood(np.array([[0.5]]))
    model.profile = Profile()
    began = time.perf_counter()
    for _ in range(10):
        np.testing.assert_array_equal(model.log_likelihood(np.array([[0.5]])), untimed)
    summary = model.profile.summary(time.perf_counter() - began)
    parts = summary["components"]
    assert set(parts) == {"probe same", "provider same"} and parts["probe same"]["calls"] == 10
    assert parts["probe same"]["seconds"] >= 0.1 > parts["provider same"]["seconds"]
    assert summary["likelihood_seconds"] >= parts["probe same"]["seconds"] and summary["sampler_seconds"] >= 0
    assert "probe same" in profile_table({"profile": summary})
