"""Arrays of the namespace: they compute what NumPy does, and refuse NumPy's own functions."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from astroemu.testing.traced_array import TRACED, TracedArray, traced, untraced

A = np.array([[1.0, 2.0], [3.0, 5.0]])
B = np.array([[0.5, 4.0], [2.0, 8.0]])
OPERATORS = ("add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge")


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_those_of_numpy(name):
    function = getattr(operator, name)
    for left, right in ((traced(A), traced(B)), (traced(A), B)):
        found = function(left, right)
        assert isinstance(found, TracedArray)
        np.testing.assert_array_equal(untraced(found), function(A, B))
    if name not in ("lt", "le", "gt", "ge"):
        np.testing.assert_array_equal(untraced(function(B, traced(A))), function(B, A))


def test_conditions_are_combined_as_in_numpy():
    low, high = traced(A) > 1.5, traced(A) < 4.0
    np.testing.assert_array_equal(untraced(low & high), (A > 1.5) & (A < 4.0))
    np.testing.assert_array_equal(untraced(~low | high), ~(A > 1.5) | (A < 4.0))
    np.testing.assert_array_equal(untraced((A > 4.0) | low), (A > 4.0) | (A > 1.5))


def test_shape_and_indexing_are_those_of_numpy():
    x = traced(A)
    assert (x.shape, x.ndim, x.dtype, len(x)) == ((2, 2), 2, np.dtype(float), 2)
    np.testing.assert_array_equal(untraced(x[:, 1]), A[:, 1])
    np.testing.assert_array_equal(untraced(x[traced(np.array([1, 0]))]), A[[1, 0]])
    np.testing.assert_array_equal(untraced(-x), -A)


def test_functions_of_the_namespace_take_and_give_these_arrays():
    found = TRACED.sum(TRACED.where(traced(A) > 2, traced(A), 0.0), axis=-1)
    assert isinstance(found, TracedArray) and untraced(found).tolist() == [0.0, 8.0]
    stacked = TRACED.stack([traced(A[0]), traced(A[1])], axis=1)
    np.testing.assert_array_equal(untraced(stacked), A.T)


@pytest.mark.parametrize(
    "leave", [np.exp, np.sum, np.asarray, lambda x: np.interp(x, [0, 1], [0, 1]), lambda x: np.array([x, x])]
)
def test_functions_of_numpy_refuse_them(leave):
    with pytest.raises(TypeError):
        leave(traced(A))


def test_they_have_no_truth_value():
    with pytest.raises(TypeError, match=r"use xp\.where"):
        bool(traced(np.array(1.0)) > 0)


def test_none_and_other_values_are_left_alone():
    assert traced(None) is None and untraced("text") == "text" and untraced(None) is None
