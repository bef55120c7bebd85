"""Observables: names on declared grids."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.errors import DataError

Z = Axis("z", np.array([5.0, 6.0, 8.0]))
K = Axis("k", np.array([0.1, 0.2]), "1/Mpc")


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 1.0],
        [2.0, 1.0],
        [1.0, 3.0, 2.0],
        [1.0, np.nan],
        [np.nan],
        [0.0, np.inf],
        [[1.0, 2.0]],
        3.0,
    ],
)
def test_an_axis_that_does_not_rise_in_one_dimension_is_refused(values):
    with pytest.raises(DataError, match="axis 'z' must hold finite, increasing numbers"):
        Axis("z", np.array(values))


def test_an_axis_holds_floats():
    axis = Axis("z", [5, 6, 7])
    assert axis.values.dtype == np.float64
    np.testing.assert_array_equal(axis.values, [5.0, 6.0, 7.0])


def test_axes_are_equal_by_name_values_and_unit():
    assert Axis("z", [5, 6, 8]) == Z
    assert hash(Axis("z", [5, 6, 8])) == hash(Z)
    for other in (Axis("k", Z.values), Axis("z", Z.values, "1"), Axis("z", [5, 6]), Axis("z", [5, 6, 8.1]), "z"):
        assert other != Z


def test_equal_axes_have_equal_hashes_whatever_the_sign_of_zero():
    plus, minus = Axis("x", [0.0, 1.0]), Axis("x", [-0.0, 1.0])
    assert plus == minus
    assert hash(plus) == hash(minus)


@pytest.mark.parametrize(("axes", "shape", "size"), [((), (), 1), ((Z,), (3,), 3), ((Z, K), (3, 2), 6)])
def test_shape_and_size_are_those_of_the_grid(axes, shape, size):
    observable = Observable("o", axes)
    assert observable.shape == shape
    assert observable.size == size
    assert isinstance(observable.size, int)


def test_the_same_grid_needs_equal_axes_in_order_and_unit():
    one = Observable("one", (Z, K), "mK^2", "a description")
    assert one.same_grid(Observable("two", (Axis("z", [5, 6, 8]), K), "mK^2"))
    for other in (Observable("o", (K, Z), "mK^2"), Observable("o", (Z,), "mK^2"), Observable("o", (Z, K), "K^2")):
        assert not one.same_grid(other)


def test_observables_are_values():
    assert Observable("o", (Z,), "K") == Observable("o", (Axis("z", [5, 6, 8]),), "K")
    assert len({Observable("o", (Z,)), Observable("o", (Z,)), Observable("p", (Z,))}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        Observable("o").name = "p"


@pytest.mark.parametrize("axes", [(), (Z,), (Z, K)])
def test_an_observable_is_the_same_after_json(axes):
    before = Observable("o", axes, "mK^2", "what it is", r"\Delta^2")
    document = before.to_json()
    assert set(document) == {"name", "unit", "description", "latex", "axes"}
    assert [axis["values"] for axis in document["axes"]] == [axis.values.tolist() for axis in axes]
    assert Observable.from_json(json.loads(json.dumps(document))) == before


def test_axes_and_values_become_quantities():
    from astropy import units

    assert K.quantity.unit == 1 / units.Mpc and K.quantity.shape == (2,)
    found = Observable("o", (Z,), "mK^2").quantity(np.full((4, 3), 2.0))
    assert found.shape == (4, 3) and found.unit == units.mK**2
