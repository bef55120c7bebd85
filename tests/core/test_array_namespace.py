"""The NumPy namespace: functions that differ from those of NumPy, or that NumPy lacks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from astroemu.core.array_namespace import NUMPY

X = np.array([[-1.5, 0.0], [0.3, 2.0], [4.0, -7.0]])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("erf", math.erf),
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
        ("log_ndtr", stats.norm.logcdf),
        ("ndtr", stats.norm.cdf),
        ("arcsinh", math.asinh),
        ("tanh", math.tanh),
    ],
)
def test_special_functions_are_those_of_their_definition(name, reference):
    found = getattr(NUMPY, name)(X)
    np.testing.assert_allclose(found, [[reference(x) for x in row] for row in X.tolist()], rtol=1e-12)


def test_the_logarithm_of_a_normal_probability_has_no_floor():
    assert NUMPY.log_ndtr(-1e4) == pytest.approx(-0.5e8 - math.log(1e4) - 0.5 * math.log(2 * math.pi))


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_and_conditions_are_taken_along_an_axis(axis):
    np.testing.assert_allclose(NUMPY.sum(X, axis=axis), np.sum(X, axis=axis))
    np.testing.assert_array_equal(NUMPY.all(X > -5.0, axis=axis), np.all(X > -5.0, axis=axis))


@pytest.mark.parametrize("name", ["argmax", "cumsum", "max", "mean", "min", "prod"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_reductions_are_those_of_numpy(name, axis):
    np.testing.assert_allclose(getattr(NUMPY, name)(X, axis=axis), getattr(np, name)(X, axis=axis), rtol=1e-15)


def test_values_are_clipped_and_interpolated_as_in_numpy():
    np.testing.assert_array_equal(NUMPY.clip(X, np.array([-1.0, 0.5]), 1.0), np.clip(X, np.array([-1.0, 0.5]), 1.0))
    assert NUMPY.interp(np.array([-1.0, 0.5, 9.0]), np.arange(3.0), np.arange(3.0) ** 2).tolist() == [0.0, 0.5, 4.0]


def test_columns_are_taken():
    np.testing.assert_array_equal(NUMPY.take(X, np.array([1, 0, 1])), X[:, [1, 0, 1]])


def test_linear_algebra_works_on_the_last_two_axes():
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    stack = NUMPY.stack([a, 2.0 * a], axis=0)
    np.testing.assert_allclose(NUMPY.logdet(stack), [math.log(5.0), math.log(20.0)])
    np.testing.assert_array_equal(NUMPY.diagonal(stack), [[2.0, 3.0], [4.0, 6.0]])
    b = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    np.testing.assert_allclose(NUMPY.matmul(stack, NUMPY.solve(stack, b)), b)


def test_a_cast_to_the_same_type_makes_no_copy():
    assert NUMPY.astype(X, NUMPY.float64) is X
    assert NUMPY.astype([1, 2], NUMPY.float64).dtype == np.float64
    assert NUMPY.astype(X, "float32").dtype == np.float32


def test_columns_in_pieces_give_what_all_give():
    a, rest = np.arange(24.0).reshape(2, 1, 12), np.arange(80_000.0).reshape(2, 1, 40_000)

    def function(a):
        return np.sum(np.sin(a[..., None] + rest[:, :, None, :]), axis=-1)

    assert np.array_equal(NUMPY.in_columns(function, a, rest), function(a))
    assert np.array_equal(NUMPY.in_columns(function, a, rest[..., :2]), function(a))
