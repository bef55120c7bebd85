"""Interpolation matrices against SciPy's splines and exact polynomials."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import InterpolatedUnivariateSpline

from astroemu.core.interpolation import interpolation_matrix
from astroemu.errors import DataError

GRID = np.array([0.0, 0.5, 1.3, 2.0, 3.1, 4.0, 5.5])
RULES = ("linear", "cubic", "spline")
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


@settings(max_examples=40)
@given(
    steps=st.lists(st.floats(0.1, 2.0), min_size=3, max_size=8),
    coefficients=st.lists(st.floats(-3, 3), min_size=4, max_size=4),
    where=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_any_cubic_on_any_grid_is_reproduced(steps, coefficients, where):
    grid = np.concatenate([[0.0], np.cumsum(steps)])
    at = grid[-1] * np.array(where)
    scale = max(1.0, grid[-1] ** 3)
    for rule in ("cubic", "spline"):
        found = interpolation_matrix(grid, at, rule) @ np.polyval(coefficients, grid)
        np.testing.assert_allclose(found, np.polyval(coefficients, at), atol=1e-10 * scale)


@pytest.mark.parametrize("rule", RULES)
def test_nodes_are_reproduced(rule):
    np.testing.assert_allclose(interpolation_matrix(GRID, GRID, rule), np.eye(len(GRID)), atol=1e-13)


@pytest.mark.parametrize("rule", RULES)
def test_the_weights_of_a_point_sum_to_one(rule):
    at = np.linspace(-0.25, 6.25, 40)
    np.testing.assert_allclose(interpolation_matrix(GRID, at, rule, "half_step").sum(axis=1), 1.0, atol=1e-12)


def test_linear_is_that_of_numpy():
    at, y = np.linspace(0, 5.5, 57), np.random.default_rng(0).normal(size=len(GRID))
    np.testing.assert_allclose(interpolation_matrix(GRID, at, "linear") @ y, np.interp(at, GRID, y), atol=1e-14)


def test_cubic_takes_two_nodes_of_each_side():
    (columns,) = np.nonzero(interpolation_matrix(GRID, np.array([2.7]), "cubic")[0])
    np.testing.assert_array_equal(columns, [2, 3, 4, 5])


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("grid", "power"), [([2.0, 3.0], 1), ([2.0, 3.0, 5.0], 1)])
def test_a_grid_too_short_for_a_cubic_is_interpolated_linearly(rule, grid, power):
    at = np.array([2.0, 2.2, grid[-1]])
    matrix = interpolation_matrix(np.array(grid), at, rule)
    np.testing.assert_allclose(matrix @ np.array(grid) ** power, at**power, atol=1e-13)
    np.testing.assert_array_equal(np.count_nonzero(matrix, axis=1), [1, 2, 1])


@pytest.mark.parametrize("rule", RULES)
def test_a_grid_of_one_node_gives_its_value_there_only(rule):
    grid = np.array([2.0])
    np.testing.assert_array_equal(interpolation_matrix(grid, np.array([2.0, 2.0]), rule), [[1.0], [1.0]])
    np.testing.assert_array_equal(interpolation_matrix(grid, np.array([7.0]), rule, "hold"), [[1.0]])
    for outside in ("error", "half_step"):
        with pytest.raises(DataError, match="outside the grid"):
            interpolation_matrix(grid, np.array([2.1]), rule, outside)


@pytest.mark.parametrize("rule", RULES)
def test_hold_keeps_the_value_of_the_last_node(rule):
    y = np.random.default_rng(1).normal(size=len(GRID))
    held = interpolation_matrix(GRID, np.array([-1e6, -0.01, 5.51, 1e6]), rule, "hold") @ y
    np.testing.assert_allclose(held, [y[0], y[0], y[-1], y[-1]], atol=1e-12)


def test_half_a_step_beyond_the_grid_a_spline_goes_on_as_its_last_piece():
    y, at = np.sin(GRID), np.array([-0.25, -0.1, 5.6, 6.25])
    found = interpolation_matrix(GRID, at, "spline", "half_step") @ y
    np.testing.assert_allclose(found, InterpolatedUnivariateSpline(GRID, y, ext="extrapolate")(at), atol=1e-12)


@pytest.mark.parametrize("rule", ["cubic", "spline"])
def test_half_a_step_beyond_the_grid_a_cubic_is_exact(rule):
    at = np.array([-0.25, 6.25])
    np.testing.assert_allclose(interpolation_matrix(GRID, at, rule, "half_step") @ GRID**3, at**3, atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("outside", "x"), [("error", -1e-6), ("error", 5.50001), ("half_step", -0.251), ("half_step", 6.26)]
)
def test_a_point_too_far_out_is_named(rule, outside, x):
    with pytest.raises(DataError, match=r"outside the grid \[0, 5.5\]") as caught:
        interpolation_matrix(GRID, np.array([1.0, x]), rule, outside)
    assert f"{x:g}" in str(caught.value)


def test_no_points_give_no_rows():
    assert interpolation_matrix(GRID, np.array([]), "cubic").shape == (0, len(GRID))
