"""Requirements as one matrix on the flattened grid of the provided observable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline

from astroemu.core.observable import Axis, Observable
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError, DataError

Z = np.array([5.0, 5.4, 6.0, 6.9, 8.0, 9.5, 10.0])
K = np.array([0.1, 0.15, 0.3, 0.4, 0.7, 1.0])
GRID = Observable("power", (Axis("z", Z), Axis("k", K, "1/Mpc")), "mK^2")
VALUES = np.sin(Z)[:, None] * np.exp(-K) + 0.3 * Z[:, None] * K**2
RNG = np.random.default_rng(0)
AT = {"z": RNG.uniform(5, 10, 9), "k": RNG.uniform(0.1, 1.0, 9)}


def on(observable, **options):
    """Return the matrix of a requirement on an observable of the same name."""
    return Requirement(observable.name, unit=observable.unit, **options).matrix(observable)


def test_a_spline_on_both_axes_is_the_bivariate_spline_of_scipy():
    matrix = on(GRID, at=AT, rule={"z": "spline", "k": "spline"})
    expected = RectBivariateSpline(Z, K, VALUES, kx=3, ky=3, s=0).ev(AT["z"], AT["k"])
    np.testing.assert_allclose(matrix @ VALUES.ravel(), expected, atol=1e-11)


def test_the_default_rule_is_bilinear():
    matrix = on(GRID, at=AT)
    expected = RectBivariateSpline(Z, K, VALUES, kx=1, ky=1, s=0).ev(AT["z"], AT["k"])
    np.testing.assert_allclose(matrix @ VALUES.ravel(), expected, atol=1e-12)
    assert np.all(np.count_nonzero(matrix, axis=1) <= 4)


def test_each_axis_has_its_own_rule():
    values = Z[:, None] ** 3 * K
    matrix = on(GRID, at=AT, rule={"z": "cubic"})
    np.testing.assert_allclose(matrix @ values.ravel(), AT["z"] ** 3 * AT["k"], rtol=1e-11)


def test_the_matrix_takes_a_batch_of_flattened_grids():
    matrix = on(GRID, at=AT)
    batch = np.stack([VALUES, 2 * VALUES, np.ones_like(VALUES)]).reshape(3, -1)
    found = batch @ matrix.T
    assert found.shape == (3, 9)
    np.testing.assert_allclose(found[1], 2 * found[0])
    np.testing.assert_allclose(found[2], 1.0)


def test_at_the_nodes_a_value_is_picked_from_its_own_place():
    matrix = on(GRID, at={"z": Z[[0, 3, 6]], "k": K[[5, 2, 0]]})
    expected = np.zeros((3, GRID.size))
    expected[[0, 1, 2], np.ravel_multi_index(([0, 3, 6], [5, 2, 0]), GRID.shape)] = 1
    np.testing.assert_allclose(matrix, expected, atol=1e-14)


def test_the_order_in_which_the_axes_are_asked_for_does_not_matter():
    np.testing.assert_array_equal(on(GRID, at=AT), on(GRID, at=dict(reversed(AT.items()))))


def test_three_axes_multiply():
    x = np.array([0.0, 1.0, 2.0])
    cube = Observable("cube", (Axis("x", x), Axis("y", x), Axis("w", x)))
    values = (1 + x)[:, None, None] * (2 - x)[:, None] * (3 + 2 * x)
    matrix = on(cube, at={"x": np.array([0.5, 2.0]), "y": np.array([0.1, 1.7]), "w": np.array([1.2, 0.0])})
    np.testing.assert_allclose(matrix @ values.ravel(), [1.5 * 1.9 * 5.4, 3.0 * 0.3 * 3.0])


def test_a_single_number_needs_no_coordinates():
    requirement = Requirement("tau_e")
    assert requirement.size == 1
    np.testing.assert_array_equal(requirement.matrix(Observable("tau_e")), [[1.0]])
    scaled = Requirement("tau_e", weights=np.array([[2.0], [3.0]]))
    np.testing.assert_array_equal(scaled.matrix(Observable("tau_e")), [[2.0], [3.0]])


def test_weights_combine_the_interpolated_values():
    weights = RNG.random((4, 9))
    requirement = Requirement("power", AT, "mK^2", weights=weights)
    assert requirement.size == 4
    np.testing.assert_allclose(requirement.matrix(GRID), weights @ on(GRID, at=AT), atol=1e-14)


def test_the_size_is_the_number_of_points():
    assert Requirement("power", AT).size == 9
    assert on(GRID, at=AT).shape == (9, GRID.size)


def test_another_unit_is_refused():
    with pytest.raises(ConfigurationError, match=r"'power' is needed in 'K\^2' but provided in 'mK\^2'"):
        Requirement("power", AT, "K^2").matrix(GRID)


@pytest.mark.parametrize("at", [{}, {"z": AT["z"]}, {"z": AT["z"], "kk": AT["k"]}, {**AT, "mu": AT["k"]}])
def test_other_axes_are_refused(at):
    with pytest.raises(ConfigurationError, match="'power' has the axes 'k', 'z', not"):
        on(GRID, at=at)


def test_a_point_beyond_the_grid_names_axis_and_remedy():
    with pytest.raises(DataError, match=r"'power', axis 'k': 1.5 lies outside.*\. Drop it with k_max") as caught:
        on(GRID, at={"z": np.array([6.0]), "k": np.array([1.5])}, remedy="Drop it with k_max")
    assert "[0.1, 1]" in str(caught.value)


def test_each_axis_has_its_own_edge_rule():
    at = {"z": np.array([12.0, 10.2]), "k": np.array([0.09, 1.1])}
    matrix = on(GRID, at=at, outside={"z": "hold", "k": "half_step"})
    np.testing.assert_allclose(matrix @ (Z[:, None] * K).ravel(), 10.0 * at["k"], rtol=1e-12)
    with pytest.raises(DataError, match="axis 'k'"):
        on(GRID, at=at, outside={"z": "hold"})
    with pytest.raises(DataError, match="axis 'z'"):
        on(GRID, at=at, outside={"z": "half_step", "k": "half_step"})


@pytest.mark.parametrize(("n_z", "n_k"), [(1, 3), (3, 1), (2, 3)])
def test_coordinates_of_different_lengths_broadcast_rightly_or_are_refused(n_z, n_k):
    at = {"z": np.linspace(6, 7, n_z), "k": np.linspace(0.2, 0.3, n_k)}
    try:
        matrix = on(GRID, at=at)
    except (ConfigurationError, DataError, ValueError):
        return
    assert matrix.shape == (max(n_z, n_k), GRID.size)
    np.testing.assert_allclose(matrix @ np.ones(GRID.size), 1.0)
