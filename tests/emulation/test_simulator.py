"""A simulator in the likelihood itself."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import StubProbe, uniform

from astroemu.core.distributions import Uniform
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.emulation.simulator import Simulator, SimulatorProvider
from astroemu.errors import ResolutionError
from astroemu.model.model import Model

X = np.arange(4.0)


class Line(Simulator):
    """a + b x, three points a call."""

    parameters = (Parameter("a", Uniform(-1, 1)), Parameter("b", Uniform(0, 2)))
    version = "1"
    batch = 3
    citation = "nobody"

    def __init__(self):
        self.sizes = []

    @property
    def settings(self):
        return {}

    @property
    def provides(self):
        return {"line": Observable("line", (Axis("x", X),), "mK"), "sum": Observable("sum")}

    def simulate(self, theta):
        self.sizes.append(len(theta))
        return {"line": (theta[:, :1] + theta[:, 1:] * X).astype(np.float32), "sum": theta.sum(axis=1)}


def model(line, prior=None):
    at = Requirement("line", {"x": np.array([2.0, 2.5])}, "mK")
    return Model(prior or uniform(b=(0, 2), a=(-1, 1)), {"line": SimulatorProvider(line)}, {"p": StubProbe(at)})


def test_it_is_run_in_its_own_batches_and_gives_float64():
    line = Line()
    theta = np.random.default_rng(0).random((8, 2))
    values = model(line).log_likelihood(theta)
    assert line.sizes == [3, 3, 2] and values.dtype == np.float64
    b, a = theta.T
    np.testing.assert_allclose(values, -0.5 * ((a + 2 * b) ** 2 + (a + 2.5 * b) ** 2), rtol=1e-5)


def test_its_range_is_that_of_its_parameters():
    with pytest.raises(ResolutionError, match=r"'a' covers \[-3, 1\] but 'line' is valid on \[-1, 1\] only"):
        model(Line(), uniform(b=(0, 2), a=(-3, 1)))


def test_every_observable_can_be_predicted_for_any_number_of_points():
    found = model(Line()).predict(np.array([[0.5, 0.25]]))
    np.testing.assert_allclose(found["line"], [0.25 + 0.5 * X])
    np.testing.assert_allclose(found["sum"], [0.75])
    assert model(Line()).predict(np.zeros((0, 2)))["line"].shape == (0, 4)
    assert SimulatorProvider(Line()).citation == "nobody"
