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


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_log_likelihood_is_refused_with_the_point(wrong):
    target = WithoutGradient()
    target.log_likelihood = lambda theta: np.array([-np.inf, wrong, -1.0])
    with pytest.raises(SamplingError, match=rf"a log-likelihood of {wrong} at \{{'x': 0\.5, 'y': 0\.0\}}"):
        CountedTarget(target).log_likelihood(THETA)
