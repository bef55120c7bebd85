"""Transforms: exact inverses and slopes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astroemu.core.array_namespace import NUMPY
from astroemu.emulation.transforms import TRANSFORMS, Asinh, Fraction, IdentityTransform, Log10, transform_from
from astroemu.errors import DataError

CASES = [
    (IdentityTransform(), np.linspace(-5, 5, 50)),
    (Log10(), np.geomspace(1e-8, 1e8, 50)),
    (Asinh(-3.0, 2.0), np.linspace(-30, 5, 50)),
    (Asinh(0.0, 20.0), np.linspace(-250, 250, 50)),
]


@pytest.mark.parametrize(("transform", "y"), CASES)
def test_inverse_undoes_forward(transform, y):
    np.testing.assert_allclose(transform.inverse(transform.forward(y), NUMPY), y, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("transform", "t"), [(c[0], c[0].forward(c[1])) for c in CASES] + [(Fraction(), CASES[0][1])])
def test_the_slope_is_the_derivative_of_the_inverse(transform, t):
    h = 1e-5
    numeric = (transform.inverse(t + h, NUMPY) - transform.inverse(t - h, NUMPY)) / (2 * h)
    slope = transform.slope(t, transform.inverse(t, NUMPY), NUMPY)
    np.testing.assert_allclose(np.broadcast_to(slope, t.shape), np.abs(numeric), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("transform", [c[0] for c in CASES] + [Fraction()])
def test_the_written_form_is_read_back(transform):
    assert transform_from(transform.to_json()) == transform


def test_what_has_no_image_is_refused():
    with pytest.raises(DataError, match="positive"):
        Log10().forward(np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="fraction"):
        Fraction().forward(np.array([0.5, 1.5]))
    with pytest.raises(DataError, match="Did you mean 'asinh'"):
        transform_from({"transform": "asin"})
    assert np.all(Fraction().inverse(np.array([-1e4, 1e4]), NUMPY) == [0, 1])


@given(y=st.floats(1e-250, 1e250))
def test_log10_is_undone_over_the_whole_range_of_floats(y):
    assert Log10().inverse(Log10().forward(np.array([y])), NUMPY)[0] == pytest.approx(y, rel=1e-12)


@given(y=st.floats(-1e6, 1e6), centre=st.floats(-100, 100), scale=st.floats(0.01, 1e3))
def test_asinh_is_undone_for_any_centre_and_scale(y, centre, scale):
    transform = Asinh(centre, scale)
    back = transform.inverse(transform.forward(np.array([y])), NUMPY)[0]
    assert back == pytest.approx(y, rel=1e-12, abs=1e-12 * max(abs(centre), scale))


def test_known_images():
    np.testing.assert_allclose(Log10().forward(np.array([1e-3, 1.0, 1e5])), [-3, 0, 5], atol=1e-15)
    np.testing.assert_allclose(Asinh(1.0, 2.0).forward(np.array([1.0, 1 + 2 * np.sinh(1)])), [0, 1], atol=1e-15)
    np.testing.assert_array_equal(IdentityTransform().forward(np.array([-1.0, 2.0])), [-1.0, 2.0])
    np.testing.assert_allclose(Fraction().inverse(np.array([0.0, np.log(3)]), NUMPY), [0.5, 0.75])


def test_asinh_is_linear_near_its_centre_and_logarithmic_far_from_it():
    transform = Asinh(5.0, 10.0)
    np.testing.assert_allclose(transform.forward(5 + np.array([-0.01, 0.01])), [-0.001, 0.001], rtol=1e-6)
    np.testing.assert_allclose(transform.forward(np.array([1e8])), np.log(2 * 1e7), rtol=1e-6)


def test_a_fraction_is_trained_on_as_it_is_and_comes_back_through_the_logistic_function():
    y = np.array([0.0, 0.25, 1.0, np.nan])
    np.testing.assert_array_equal(Fraction().forward(y), y)
    t = np.linspace(-800, 800, 101)
    x = Fraction().inverse(t, NUMPY)
    assert np.all((x >= 0) & (x <= 1)) and np.all(np.diff(x) >= 0)
    np.testing.assert_allclose(x, 0.5 * (1 + np.tanh(0.5 * t)), atol=1e-15)


@pytest.mark.parametrize("power", [1.0, 2.0, 3.5])
def test_a_root_of_a_fraction_resolves_small_ones(power):
    transform = Fraction(power)
    s = transform.forward(np.array([0.0, 1e-4, 0.25, 1.0]))
    np.testing.assert_allclose(s, [0.0, 1e-4 ** (1 / power), 0.25 ** (1 / power), 1.0])
    t = np.linspace(-6, 6, 25)
    y = transform.inverse(t, NUMPY)
    np.testing.assert_allclose(y, transform.feature(t, NUMPY) ** power, rtol=1e-12)
    step = 1e-6
    difference = (transform.inverse(t + step, NUMPY) - transform.inverse(t - step, NUMPY)) / (2 * step)
    np.testing.assert_allclose(transform.slope(t, y, NUMPY), difference, rtol=1e-6)
    assert transform_from(transform.to_json()) == transform


@pytest.mark.parametrize("power", [0.5, np.inf, np.nan])
def test_a_power_without_meaning_is_refused(power):
    with pytest.raises(DataError, match="power of at least 1"):
        Fraction(power)


@pytest.mark.parametrize("transform", [case[0] for case in CASES])
def test_a_network_takes_an_unbounded_output_as_it_is(transform):
    t = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(transform.feature(t, NUMPY), t)


def test_a_network_takes_the_logit_of_a_fraction_as_the_fraction():
    t = np.linspace(-3, 3, 7)
    np.testing.assert_allclose(Fraction().feature(t, NUMPY), 1 / (1 + np.exp(-t)), rtol=1e-14)


@pytest.mark.parametrize(("transform", "y"), CASES)
def test_an_undefined_value_stays_undefined(transform, y):
    found = transform.forward(np.array([y[0], np.nan, y[-1]]))
    np.testing.assert_array_equal(np.isnan(found), [False, True, False])


@pytest.mark.parametrize(("transform", "y"), CASES)
def test_slopes_have_the_shape_of_what_they_multiply_and_are_positive(transform, y):
    t = transform.forward(y).reshape(5, 10)
    slope = transform.slope(t, transform.inverse(t, NUMPY), NUMPY)
    assert np.shape(slope) == (5, 10) and np.all(slope > 0)


@pytest.mark.parametrize("transform", [case[0] for case in CASES] + [Fraction()])
def test_the_written_form_goes_through_json(transform):
    spec = json.loads(json.dumps(transform.to_json()))
    assert spec["transform"] == transform.kind and TRANSFORMS[transform.kind] is type(transform)
    assert transform_from(spec) == transform


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"transform": None},
        {"transform": "log"},
        {"transform": "log10", "scale": 1.0},
        {"transform": "asinh", "centre": "left"},
        {"transform": "asinh", "scale": None},
    ],
)
def test_a_bad_written_form_is_refused(spec):
    with pytest.raises(DataError, match="transform"):
        transform_from(spec)


def test_a_kind_that_is_no_text_is_refused():
    with pytest.raises(DataError, match="unknown transform"):
        transform_from({"transform": ["log10"]})


@pytest.mark.parametrize("scale", [0.0, -2.0, float("nan"), float("inf")])
def test_a_scale_without_an_inverse_is_refused(scale):
    with pytest.raises(DataError, match="scale"):
        transform_from({"transform": "asinh", "scale": scale})


@pytest.mark.parametrize(
    ("transform", "bad"), [(Log10(), -1.0), (Log10(), 0.0), (Fraction(), -0.01), (Fraction(), 1.01)]
)
def test_a_value_without_an_image_is_refused_among_undefined_ones(transform, bad):
    with pytest.raises(DataError):
        transform.forward(np.array([0.5, np.nan, bad]))


def _transforms():
    asinh = st.builds(Asinh, st.floats(-100, 100), st.floats(0.01, 1e3))
    return st.one_of(st.just(IdentityTransform()), st.just(Log10()), asinh, st.builds(Fraction, st.floats(1, 5)))


@given(transform=_transforms(), t=st.floats(-10, 10))
def test_the_slope_is_the_derivative_of_the_inverse_which_rises(transform, t):
    step = 1e-5
    below, here, above = (transform.inverse(np.array([t + k * step]), NUMPY) for k in (-1, 0, 1))
    slope = transform.slope(np.array([t]), here, NUMPY)
    rounding = 1e-15 * (abs(here[0]) + abs(getattr(transform, "centre", 0.0))) / step
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-6, atol=4 * rounding)
    assert above[0] >= below[0]


@given(y=st.floats(1e-6, 1 - 1e-6), power=st.floats(1, 5))
def test_a_fraction_is_undone_through_the_logistic_function(y, power):
    root = Fraction(power).forward(np.array([y]))
    back = Fraction(power).inverse(np.log(root / (1 - root)), NUMPY)
    np.testing.assert_allclose(back, y, rtol=1e-9)
