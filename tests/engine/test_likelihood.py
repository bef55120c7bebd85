"""Log-likelihoods of one datum: hand-computed values, and no way up away from the data."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.likelihood import (
    barlow_gaussian,
    gaussian,
    half_normal_width,
    marginal_upper_limit,
    one_sided,
    split_gaussian,
)
from astroemu.namespace import NUMPY as XP

FAR = np.concatenate([[0.0], np.geomspace(1e-3, 1e4, 400)])


def test_gaussian_keeps_the_norm_of_an_extra_error():
    assert gaussian(3.0, 1.0, 2.0, XP) == pytest.approx(-0.5)
    expected = -0.5 * 4 / (4 + 9) - 0.5 * np.log(13 / 4)
    assert gaussian(3.0, 1.0, 2.0, XP, 3.0) == pytest.approx(expected)


def test_split_gaussian_takes_the_side_of_the_model_and_is_continuous():
    assert split_gaussian(3.0, 1.0, 0.5, 2.0, XP) == pytest.approx(-0.5)
    assert split_gaussian(0.0, 1.0, 0.5, 2.0, XP) == pytest.approx(-2.0)
    below, above = (split_gaussian(1.0 + x, 1.0, 0.5, 1.5, XP, 0.5) for x in (-1e-9, 1e-9))
    assert below == pytest.approx(above, abs=1e-8)


def test_barlow_is_the_published_form_and_never_positive():
    mu, up, low = 0.0569, 0.0081, 0.0066
    tau = np.linspace(0.03, 0.2, 200)
    published = -0.5 * (mu - tau) ** 2 / (up * low + (up - low) * (tau - mu))
    np.testing.assert_allclose(barlow_gaussian(tau, mu, low, up, XP), published, rtol=1e-12)
    down = barlow_gaussian(np.linspace(mu, -1.0, 500), mu, low, up, XP)
    assert np.all(down <= 0) and np.all(np.diff(down) <= 0)


@pytest.mark.parametrize(("x", "expected"), [(9, -43.628), (12, -75.410), (30, -454.321)])
def test_the_tail_of_an_upper_limit_has_no_floor(x, expected):
    assert marginal_upper_limit(float(x), 0.0, 1.0, XP) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("datum", [-4.0, -2.0, -0.1, 0.0, 3.0])
def test_an_upper_limit_never_rises_with_the_signal(datum):
    found = marginal_upper_limit(FAR, datum, 1.0, XP, (0.2 * FAR) ** 2)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) <= 1e-12)


def test_the_guard_of_negative_data_leaves_small_signals_alone():
    m = np.linspace(0, 12, 50)  # sigma^2 / (|d| f^2) = 12.5
    plain = marginal_upper_limit(m, -2.0, np.sqrt(1 + (0.2 * m) ** 2), XP)
    np.testing.assert_allclose(marginal_upper_limit(m, -2.0, 1.0, XP, (0.2 * m) ** 2), plain, rtol=1e-12)


def test_one_sided_is_flat_below_and_gaussian_above():
    x = np.array([0.0, 0.06, 0.11, 0.16])
    np.testing.assert_allclose(one_sided(x, 0.06, 0.05, XP), [0, 0, -0.5, -2.0], atol=1e-12)


@pytest.mark.parametrize("extra", [None, 0.3])
@pytest.mark.parametrize("form", [split_gaussian, barlow_gaussian])
def test_asymmetric_forms_fall_away_from_the_datum(form, extra):
    for sign in (-1, 1):
        values = form(1.0 + sign * FAR, 1.0, 0.5, 1.5, XP, extra)
        assert np.all(np.isfinite(values)) and np.all(np.diff(values) <= 1e-12)


def test_a_bare_limit_holds_its_confidence():
    from scipy.stats import halfnorm

    width = half_normal_width(0.44, 0.68)
    assert halfnorm(scale=width).cdf(0.44) == pytest.approx(0.68)
