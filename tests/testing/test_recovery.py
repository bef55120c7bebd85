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
from astroemu.testing.recovery import MockFits, favours_truth, recovers
from astroemu.testing.truths import constant_lines


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
        mock.datum = y + (0.0 if rng is None else self.noise * rng.standard_normal())
        return mock


class Positive(Datum):
    """Only data above one are published: the likelihood's integral depends on the truth."""

    normalised = True

    def simulate(self, predictions, parameters, rng):
        mock = copy.copy(self)
        y = predictions["it"].value[0, 0]
        mock.datum = y if rng is None else y + 0.1 * truncnorm.rvs((1.0 - y) / 0.1, np.inf, random_state=rng)
        return mock

    def log_normalisation(self, predictions, parameters):
        y = predictions["it"].value[:, 0]
        return log_ndtr((y - 1.0) / 0.1) if self.normalised else np.zeros(len(y))


def examined(probe, centre=1.0):
    return MockFits.of(probe, constant_lines(probe, {"it": np.array([centre])}))


@pytest.mark.parametrize("parameters", [(), (Parameter("offset", Uniform(-0.2, 0.2)),)])
def test_data_of_the_likelihood_are_recovered(parameters):
    fits = examined(Datum(parameters=parameters))
    assert "ranks of 200 truths uniform" in recovers(fits) and "nats each" in recovers(fits)
    assert "at least 0." in favours_truth(fits)


@pytest.mark.parametrize(("noise", "words"), [(0.03, "too wide"), (0.2, "too narrow")])
def test_data_of_another_error_are_found(noise, words):
    with pytest.raises(NonConformance, match=f"are not uniform.*{words}"):
        recovers(examined(Datum(noise)))


def test_a_reversed_sign_is_found_at_once():
    """Gibbs: the mean of ln L(truth) - ln L(other) is not negative."""

    class Reversed(Datum):
        def log_likelihood(self, predictions, parameters, xp):
            return -super().log_likelihood(predictions, parameters, xp)

    line = next(iter(constant_lines(Datum(), {"it": np.array([1.0])})))
    with pytest.raises(NonConformance, match=r"favour predictions .* over their truth.*Check the sign"):
        favours_truth(MockFits.of(Reversed(), [line]))


def test_truths_follow_the_normalisation():
    assert "uniform" in recovers(examined(Positive()))
    wrong = Positive()
    wrong.normalised = False
    fits = examined(wrong)
    with pytest.raises(NonConformance, match="`log_normalisation`"):
        favours_truth(fits)
    with pytest.raises(NonConformance, match=r"are not uniform.*`log_normalisation`"):
        recovers(fits)


def test_truths_are_drawn_by_the_integral_of_the_likelihood():
    fits = examined(Positive())
    share = np.bincount(fits.truth, minlength=fits.near) / len(fits.truth)
    low = fits.levels[0, : fits.near] < 0
    assert share[low].sum() == pytest.approx(fits.prior[0, low].sum(), abs=0.1) and share[low].sum() < 0.35


def test_ranks_of_rounding_say_nothing():
    """ln L changes by 1e-13 only: uniform ranks would be noise, and the check says so."""

    class Flat(Datum):
        def log_likelihood(self, predictions, parameters, xp):
            return 1e-13 * super().log_likelihood(predictions, parameters, xp)

    line = next(iter(constant_lines(Datum(), {"it": np.array([1.0])})))
    with pytest.raises(Skipped, match=r"not informative: ln L changes by .*e-1"):
        recovers(MockFits.of(Flat(), [line]))


def test_data_that_are_impossible_at_their_truth_are_found():
    class Impossible(Datum):
        def log_likelihood(self, predictions, parameters, xp):
            found = super().log_likelihood(predictions, parameters, xp)
            return np.where(self.datum == 1.0, found, -np.inf)

    line = next(iter(constant_lines(Datum(), {"it": np.array([1.0])})))
    with pytest.raises(NonConformance, match="200 of 200 data sets have no finite ln L at the truth"):
        MockFits.of(Impossible(), [line])
