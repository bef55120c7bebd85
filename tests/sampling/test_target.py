"""Targets around targets: what passes through, what is counted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import ConfigurationError, SamplingError
from astroemu.sampling.target import CountedTarget, TargetWrapper, evaluate, gradient_target
from astroemu.testing.problems import Gaussian

THETA = np.array([[0.3, -0.2], [0.5, 0.0], [1.0, 1.0]])


class Through(TargetWrapper):
    """A wrapper that changes nothing."""

    def evaluate(self, theta, *, gradient):
        return evaluate(self.target, theta, gradient=gradient)


class WithoutGradient:
    """The log-likelihood -|theta|^2 alone."""

    names = ("x", "y")

    def log_likelihood(self, theta):
        return -np.sum(theta**2, axis=1)


class Refusing(Gaussian):
    """A target with all members of gradients, which has none."""

    def demand_gradient(self):
        raise ConfigurationError("a part runs on the host")


def test_a_batch_gives_one_row_per_point():
    gaussian = Gaussian()
    value, gradient = gaussian.value_and_grad(THETA)
    np.testing.assert_array_equal(evaluate(gaussian, THETA, gradient=False), value[:, None])
    np.testing.assert_array_equal(evaluate(gaussian, THETA, gradient=True), np.column_stack([value, gradient]))


def test_a_wrapper_passes_everything_on():
    inner = Gaussian()
    outer = Through(inner)
    u = np.full((2, 2), 0.3)
    assert outer.names == inner.names
    np.testing.assert_array_equal(outer.prior_transform(u), inner.prior_transform(u))
    np.testing.assert_array_equal(outer.prior_slope(u), inner.prior_slope(u))
    np.testing.assert_array_equal(outer.log_prior(THETA), inner.log_prior(THETA))
    np.testing.assert_array_equal(outer.log_likelihood(THETA), inner.log_likelihood(THETA))
    for found, expected in zip(outer.value_and_grad(THETA), inner.value_and_grad(THETA), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert gradient_target(outer) is outer


@pytest.mark.parametrize("target", [WithoutGradient(), Through(WithoutGradient()), Through(Through(WithoutGradient()))])
def test_a_target_without_gradients_is_refused_through_wrappers_too(target):
    with pytest.raises(ConfigurationError, match="WithoutGradient has no prior_slope and no value_and_grad"):
        gradient_target(target)


def test_a_target_that_refuses_its_gradient_is_refused():
    with pytest.raises(ConfigurationError, match="a part runs on the host"):
        gradient_target(Through(Refusing()))


def test_points_are_counted_with_and_without_gradients():
    counted = CountedTarget(Gaussian(wall=True))
    values = counted.log_likelihood(np.array([[0.2, 0.0], [0.4, 0.0]]))  # the first one behind the wall
    assert np.isneginf(values).tolist() == [True, False]
    counted.value_and_grad(THETA)
    counted.log_likelihood(np.zeros((0, 2)))
    assert counted.n == 5


@pytest.mark.attack("samplers", "a log-likelihood of 1e300, and of 1e15 times a constant")
@pytest.mark.parametrize("highest", [1e300, 1e15, -1e15])
def test_a_peak_without_digits_after_the_point_is_refused(highest):
    target = WithoutGradient()
    target.log_likelihood = lambda theta: np.full(len(theta), highest)
    with pytest.raises(SamplingError, match=r"1e\+\d+: floating-point numbers of this size are .* subtract a constant"):
        CountedTarget(target).demand_resolved(CountedTarget(target).log_likelihood(THETA))


def test_low_values_away_from_the_peak_are_accepted():
    counted = CountedTarget(WithoutGradient())
    counted.demand_resolved(np.array([-1e300, -np.inf, -3.0]))
    counted.demand_resolved(np.array([-np.inf]))
    counted.demand_resolved(np.zeros(0))


@pytest.mark.attack("samplers", "a posterior that is 1e-16 as wide as its prior")
def test_points_that_rounding_has_made_one_are_refused_by_name():
    counted = CountedTarget(Gaussian())
    u = np.random.default_rng(1).random((20, 2))
    u[:, 1] = 0.5 + 1e-15 * u[:, 1]
    with pytest.raises(SamplingError, match="the posterior of 'y' is too narrow"):
        counted.prior_transform(u)
    u[:, 1] = 1e-20 * np.linspace(1, 2, 20)  # numbers near zero have digits enough
    np.testing.assert_array_equal(counted.prior_transform(u), Gaussian().prior_transform(u))
    assert counted.prior_transform(np.full((1, 2), 0.5)).shape == (1, 2)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_log_likelihood_is_refused_with_the_point(wrong):
    target = WithoutGradient()
    target.log_likelihood = lambda theta: np.array([-np.inf, wrong, -1.0])
    with pytest.raises(SamplingError, match=rf"a log-likelihood of {wrong} at \{{'x': 0\.5, 'y': 0\.0\}}"):
        CountedTarget(target).log_likelihood(THETA)
