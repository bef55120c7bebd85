"""Transforms: exact inverses and slopes."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import DataError
from astroemu.namespace import NUMPY
from astroemu.transform import Asinh, Fraction, Identity, Log10, transform_from

CASES = [
    (Identity(), np.linspace(-5, 5, 50)),
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
