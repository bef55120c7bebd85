"""The process of NUTS, without NumPyro: arrays through pipes, and the metric of some points."""

from __future__ import annotations

import os

import numpy as np
import pytest

from astroemu_plugins.samplers.nuts_process import Pipe, metric


@pytest.fixture
def pipes():
    """Two ends that are connected both ways."""
    (from_one, to_two), (from_two, to_one) = os.pipe(), os.pipe()
    one, two = Pipe(from_two, to_two), Pipe(from_one, to_one)
    yield one, two
    one.close()
    two.close()


def test_arrays_arrive_as_they_were(pipes):
    one, two = pipes
    for shape in ((1, 2, 3), (4, 0, 2)):
        sent = np.random.default_rng(1).normal(size=shape)
        one.tell(sent)
        two.tell(-sent)
        np.testing.assert_array_equal(two.told(), sent)
        np.testing.assert_array_equal(one.told(), -sent)


def test_the_other_side_that_has_gone_is_none(pipes):
    one, two = pipes
    one.close()
    assert two.told() is None


def test_the_metric_is_the_covariance_where_there_are_enough_points():
    points = np.random.default_rng(2).multivariate_normal([0, 1], [[1.0, 0.6], [0.6, 2.0]], 500)
    np.testing.assert_allclose(metric(points, True), np.cov(points.T), rtol=1e-5)
    np.testing.assert_allclose(metric(points, False), points.var(axis=0), rtol=1e-6)
    np.testing.assert_allclose(metric(points[:4], True), np.diag(points[:4].var(axis=0)), rtol=1e-6)
