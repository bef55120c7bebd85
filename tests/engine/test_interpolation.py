"""Interpolation matrices against SciPy's splines and exact polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import InterpolatedUnivariateSpline

from astroemu.errors import DataError
from astroemu.interpolation import interpolation_matrix

GRID = np.array([0.0, 0.5, 1.3, 2.0, 3.1, 4.0, 5.5])
AT = np.array([0.0, 0.1, 1.3, 2.7, 5.49, 5.5])


@pytest.mark.parametrize(("rule", "degree"), [("linear", 1), ("cubic", 3), ("spline", 3)])
def test_polynomials_up_to_its_degree_are_exact(rule, degree):
    matrix = interpolation_matrix(GRID, AT, rule)
    for power in range(degree + 1):
        np.testing.assert_allclose(matrix @ GRID**power, AT**power, atol=1e-10)


def test_a_spline_is_that_of_scipy():
    y = np.sin(GRID)
    matrix = interpolation_matrix(GRID, AT, "spline")
    np.testing.assert_allclose(matrix @ y, InterpolatedUnivariateSpline(GRID, y)(AT), atol=1e-12)


def test_cubic_uses_four_nodes_only():
    assert np.all(np.count_nonzero(interpolation_matrix(GRID, np.array([2.7]), "cubic"), axis=1) == 4)


def test_the_edges():
    beyond = np.array([-0.2, 5.9])
    with pytest.raises(DataError, match="outside the grid"):
        interpolation_matrix(GRID, beyond, "linear")
    held = interpolation_matrix(GRID, beyond, "spline", "hold") @ GRID
    np.testing.assert_allclose(held, [0.0, 5.5], atol=1e-12)
    half = interpolation_matrix(GRID, beyond, "linear", "half_step") @ GRID
    np.testing.assert_allclose(half, beyond, atol=1e-12)
    with pytest.raises(DataError):
        interpolation_matrix(GRID, np.array([-0.26]), "linear", "half_step")
