"""Simulate, then fit: a probe whose data come from its likelihood passes, and others do not."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from helpers import StubProbe
from scipy.special import log_ndtr
from scipy.stats import truncnorm

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.testing.findings import NonConformance, Skipped
from astroemu.testing.recovery import _NODES, _cumulative_of_truths, recovers


class Datum(StubProbe):
    """One number with the error 0.1, and perhaps an offset; ``noise`` is the error of the simulated data."""

    def __init__(self, noise=0.1, parameters=()):
        super().__init__(Requirement("y"), parameters=parameters)
        self.noise, self.datum = noise, 1.0

    def log_likelihood(self, predictions, parameters, xp):
        y = predictions["it"].value[:, 0] + sum(parameters.values())
        return -0.5 * ((y - self.datum) / 0.1) ** 2

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        y = predictions["it"].value[0, 0] + sum(value[0] for value in parameters.values())
        mock.datum = y + self.noise * rng.standard_normal()
        return mock


class Positive(Datum):
    """Only data above one are published: the likelihood's integral depends on the truth."""

    normalised = True

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        y = predictions["it"].value[0, 0]
        mock.datum = y + 0.1 * truncnorm.rvs((1.0 - y) / 0.1, np.inf, random_state=rng)
        return mock

    def log_normalisation(self, predictions, parameters):
        y = predictions["it"].value[:, 0]
        return log_ndtr((y - 1.0) / 0.1) if self.normalised else np.zeros(len(y))


@pytest.mark.parametrize("parameters", [(), (Parameter("offset", Uniform(-0.2, 0.2)),)])
def test_data_of_the_likelihood_are_recovered(parameters):
    assert "ranks of 200 truths uniform" in recovers(Datum(parameters=parameters))


@pytest.mark.parametrize("noise", [0.03, 0.3])
def test_data_of_another_error_are_found(noise):
    with pytest.raises(NonConformance, match="are not uniform"):
        recovers(Datum(noise))


def test_truths_follow_the_normalisation():
    assert "uniform" in recovers(Positive())
    wrong = Positive()
    wrong.normalised = False
    with pytest.raises(NonConformance, match="are not uniform"):
        recovers(wrong)


def test_without_a_normalisation_the_truths_are_flat():
    found = _cumulative_of_truths(Datum(), {"it": np.array([1.0])}, {}, 0.3)
    np.testing.assert_allclose(found, np.arange(_NODES))


def test_a_probe_that_does_not_simulate_is_skipped():
    with pytest.raises(Skipped, match="has no `simulate`"):
        recovers(StubProbe(Requirement("y")))

    class Refuses(Datum):
        def simulate(self, predictions, parameters, rng):
            raise NotImplementedError("its data are no draw from a density")

    with pytest.raises(Skipped, match="no draw from a density"):
        recovers(Refuses())


def test_a_mock_of_another_class_is_refused():
    class Other(Datum):
        def simulate(self, predictions, parameters, rng):
            return Datum()

    with pytest.raises(NonConformance, match="must return a new probe of its own class"):
        recovers(Other())
