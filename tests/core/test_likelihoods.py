"""Log-likelihoods of one datum: values computed by hand, a decrease away from the data, norms and random draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from astroemu.core.array_namespace import NUMPY as XP
from astroemu.core.likelihoods import (
    barlow_gaussian,
    cell_middles,
    draw_barlow_gaussian,
    draw_cell,
    draw_split_gaussian,
    gaussian,
    half_normal_width,
    log_mass_of_limits,
    log_norm_barlow,
    marginal_upper_limit,
    one_sided,
    split_gaussian,
)

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
    width = half_normal_width(0.44, 0.68)
    assert stats.halfnorm(scale=width).cdf(0.44) == pytest.approx(0.68)


FORMS = {
    "gaussian": lambda m, extra=None: gaussian(m, 1.0, 0.5, XP, extra),
    "split": lambda m, extra=None: split_gaussian(m, 1.0, 0.5, 1.5, XP, extra),
    "split, mirrored": lambda m, extra=None: split_gaussian(m, 1.0, 1.5, 0.5, XP, extra),
    "barlow": lambda m, extra=None: barlow_gaussian(m, 1.0, 0.5, 1.5, XP, extra),
    "barlow, mirrored": lambda m, extra=None: barlow_gaussian(m, 1.0, 1.5, 0.5, XP, extra),
    "one sided": lambda m, extra=None: one_sided(m, 1.0, 0.5, XP, extra),
}


@pytest.mark.parametrize("extra", [None, 1e-3, 5.0])
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("side", [-1, 1])
def test_every_form_is_finite_and_falls_out_to_ten_thousand_sigma(name, side, extra):
    values = FORMS[name](1.0 + 0.5 * side * FAR, extra)
    assert np.all(np.isfinite(values)) and np.all(values <= 0)
    assert np.all(np.diff(values) <= 0)
    if (name, side) != ("one sided", -1):
        assert values[-1] < values[200] - 1.0  # no plateau


@pytest.mark.parametrize("name", FORMS)
def test_no_form_has_a_step(name):
    """Ten times closer points differ ten times less; a step would stay."""
    for extra in (None, 0.7):
        coarse, fine = (np.max(np.abs(np.diff(FORMS[name](np.linspace(-4, 6, n), extra)))) for n in (20_001, 200_001))
        assert fine < 0.2 * coarse


def test_a_gaussian_falls_as_the_square():
    np.testing.assert_allclose(gaussian(np.array([1.0, 2.0, 1e4]), 0.0, 1.0, XP), [-0.5, -2.0, -5e7])


@pytest.mark.parametrize("extra", [0.0, 0.3, 4.0])
def test_a_gaussian_with_an_extra_error_stays_normalised_in_the_datum(extra):
    norm = 0.5 * np.sqrt(2 * np.pi)
    total, _ = integrate.quad(lambda d: np.exp(gaussian(1.0, d, 0.5, XP, extra)) / norm, -60, 62, points=[1.0])
    assert total == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("extra", [None, 0.3, 4.0])
def test_a_split_gaussian_stays_normalised(extra):
    norm = np.sqrt(np.pi / 2) * (0.5 + 1.5)
    total, _ = integrate.quad(
        lambda m: np.exp(split_gaussian(m, 1.0, 0.5, 1.5, XP, extra)) / norm, -60, 62, points=[1.0]
    )
    assert total == pytest.approx(1.0, abs=1e-8)


@given(m=st.floats(-1e4, 1e4), sigma=st.floats(0.01, 100), extra=st.none() | st.floats(0, 100))
def test_equal_error_bars_make_every_asymmetric_form_a_gaussian(m, sigma, extra):
    width = sigma if extra is None else np.hypot(sigma, extra)
    expected = gaussian(m, 1.0, width, XP)
    assert barlow_gaussian(m, 1.0, sigma, sigma, XP, extra) == pytest.approx(expected, rel=1e-9)
    norm = np.log(width / sigma)
    assert split_gaussian(m, 1.0, sigma, sigma, XP, extra) == pytest.approx(expected - norm, rel=1e-9, abs=1e-12)


@given(low=st.floats(0.01, 10), high=st.floats(0.01, 10), x=st.floats(-1e5, 1e5), step=st.floats(1.0, 2.0))
def test_barlow_never_rises_nor_diverges(low, high, x, step):
    here, farther = (float(barlow_gaussian(m, 0.0, low, high, XP)) for m in (x, step * x))
    assert -np.inf < farther <= here * (1 - 1e-12) <= 0


def test_barlow_by_hand():
    # V = 1 * 3 + 2 x
    x = np.array([-1.0, 0.0, 1.0, 3.0])
    np.testing.assert_allclose(barlow_gaussian(x, 0.0, 1.0, 3.0, XP), [-0.5, 0.0, -0.1, -0.5])


@pytest.mark.parametrize(("low", "high"), [(1.0, 3.0), (3.0, 1.0)])
def test_the_guard_of_barlow_begins_one_per_cent_before_the_pole(low, high):
    pole = -low * high / (high - low)
    fraction = np.linspace(0, 0.9899, 200)
    free = barlow_gaussian(fraction * pole, 0.0, low, high, XP)
    published = -0.5 * (fraction * pole) ** 2 / (low * high + (high - low) * fraction * pole)
    np.testing.assert_allclose(free, published, rtol=1e-9)
    held = np.array([0.9901, 1.0, 1.5, 100.0]) * pole
    np.testing.assert_allclose(barlow_gaussian(held, 0.0, low, high, XP), -0.5 * held**2 / (0.01 * low * high))
    before, after = (barlow_gaussian((0.99 + e) * pole, 0.0, low, high, XP) for e in (-1e-9, 1e-9))
    assert before == pytest.approx(after, rel=1e-6)


def test_barlow_adds_an_extra_error_to_both_bars():
    found = barlow_gaussian(2.5, 1.0, 0.3, 1.2, XP, 0.4)
    assert found == pytest.approx(float(barlow_gaussian(2.5, 1.0, 0.5, np.hypot(1.2, 0.4), XP)))


@pytest.mark.parametrize("x", [12.0, 30.0, 100.0, 1e4])
def test_the_tail_of_an_upper_limit_is_that_of_mills(x):
    expected = -0.5 * x**2 - np.log(x * np.sqrt(2 * np.pi)) + np.log1p(-1 / x**2 + 3 / x**4)
    assert marginal_upper_limit(x, 0.0, 1.0, XP) == pytest.approx(expected, rel=1e-6)


def test_an_upper_limit_is_one_half_at_the_datum_and_one_far_below():
    found = marginal_upper_limit(np.array([0.0, 5.0, 5.0 + 1e-9]), np.array([80.0, 5.0, 5.0]), 2.0, XP)
    np.testing.assert_allclose(found, [0.0, np.log(0.5), np.log(0.5)], atol=1e-8)


def test_the_extra_variance_of_an_upper_limit_adds_to_the_variance():
    assert marginal_upper_limit(7.0, 1.0, 3.0, XP, 16.0) == pytest.approx(marginal_upper_limit(7.0, 1.0, 5.0, XP))


def test_an_upper_limit_is_the_likelihood_marginalised_over_the_systematic():
    norm = 0.5 * np.sqrt(2 * np.pi)
    for m in (0.2, 1.0, 2.5):
        total, _ = integrate.quad(lambda s, m=m: np.exp(gaussian(m + s, 1.0, 0.5, XP)) / norm, 0, 20, points=[1.0])
        assert marginal_upper_limit(m, 1.0, 0.5, XP) == pytest.approx(np.log(total), abs=1e-7)


def test_an_extra_error_widens_the_tail_of_a_one_sided_limit():
    np.testing.assert_allclose(one_sided(np.array([0.5, 6.0]), 1.0, 3.0, XP, 4.0), [0.0, -0.5])


@pytest.mark.parametrize("name", FORMS)
def test_a_batch_is_the_points_one_by_one(name):
    m = np.random.default_rng(0).normal(1, 2, (5, 3))
    batch = FORMS[name](m, 0.2)
    assert batch.shape == (5, 3)
    np.testing.assert_array_equal(batch, [[FORMS[name](x, 0.2) for x in row] for row in m])


@pytest.mark.parametrize("level", [0.5, 0.68, 0.95, 0.997])
def test_the_half_normal_width_of_an_array_of_limits(level):
    limits = np.array([0.1, 0.44, 7.0])
    np.testing.assert_allclose(stats.halfnorm.cdf(limits / half_normal_width(limits, level)), level)


def _one(kind, m, datum, low, high, extra):
    """Return the value of any of the likelihoods of one datum."""
    if kind is gaussian or kind is one_sided or kind is marginal_upper_limit:
        return kind(m, datum, low, XP, extra)
    return kind(m, datum, low, high, XP, extra)


KINDS = st.sampled_from([gaussian, split_gaussian, barlow_gaussian, marginal_upper_limit, one_sided])
ERRORS = {"low": st.floats(0.01, 100), "high": st.floats(0.01, 100), "extra": st.none() | st.floats(0, 100)}


@settings(max_examples=200)
@given(kind=KINDS, datum=st.floats(-100, 100), away=st.floats(0, 1e4), step=st.floats(1, 1e3), **ERRORS)
def test_none_is_infinite_or_rises_away_from_the_datum(kind, datum, away, step, low, high, extra):
    for sign in (-1.0, 1.0) if kind not in (marginal_upper_limit, one_sided) else (1.0,):
        start = max(datum, 0.0) if kind is marginal_upper_limit else datum  # its model is not negative
        m = start + sign * np.array([away, away * step, away * step + 1.0])
        found = np.asarray(_one(kind, m, datum, low, high, extra))
        assert np.all(np.isfinite(found)) and np.all(found <= 1e-12)
        assert np.all(np.diff(found) <= 1e-9 * np.abs(found[:-1]) + 1e-12)


@settings(max_examples=100)
@given(kind=KINDS, seed=st.integers(0, 2**32 - 1), n=st.integers(2, 50), **ERRORS)
def test_of_all_a_batch_is_its_points_in_any_order(kind, seed, n, low, high, extra):
    rng = np.random.default_rng(seed)
    m, order = 50 * rng.random(n), rng.permutation(n)
    found = np.asarray(_one(kind, m, 10.0, low, high, extra))
    np.testing.assert_allclose(_one(kind, m[order], 10.0, low, high, extra), found[order], rtol=1e-13)
    np.testing.assert_allclose([_one(kind, one, 10.0, low, high, extra) for one in m], found, rtol=1e-13)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.3, 1.0), (2.0, 0.4)])
def test_the_norm_of_the_linear_variance(low, high):
    reach = 40 * max(low, high) * max(low / high, high / low)
    area, _ = integrate.quad(
        lambda d: np.exp(barlow_gaussian(0.0, d, low, high, XP)), -reach, reach, limit=500, points=[0.0]
    )
    assert log_norm_barlow(low, high) == pytest.approx(np.log(area), abs=2e-3)


@pytest.mark.parametrize("m", [0.0, 3.0, 60.0])
def test_the_mass_of_limits(m):
    largest = special.log_ndtr((8.0 - m) / 1.5)
    area, _ = integrate.quad(lambda d: np.exp(special.log_ndtr((d - m) / 1.5) - largest), 0.0, 8.0)
    found = log_mass_of_limits(np.array(m), np.array(1.5), np.array(0.0), np.array(8.0))
    assert found == pytest.approx(np.log(area) + largest, rel=1e-4)


def test_the_mass_of_limits_has_no_floor_far_above_the_data():
    """``int Phi(d - m) dd`` up to zero is ``phi(m) / m^2`` for a large ``m``."""
    found = log_mass_of_limits(np.array([20.0, 1e3]), np.array(1.0), np.array(-60.0), np.array(0.0))
    m = np.array([20.0, 1e3])
    np.testing.assert_allclose(found, stats.norm.logpdf(m) - 2 * np.log(m), rtol=1e-4)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.4, 1.5), (1.5, 0.4)])
@pytest.mark.parametrize(
    ("draw", "form"), [(draw_split_gaussian, split_gaussian), (draw_barlow_gaussian, barlow_gaussian)]
)
def test_drawn_data_have_the_density_of_the_likelihood(draw, form, low, high):
    n = 400
    drawn = draw(np.full(n, 2.0), np.array(low), np.array(high), np.random.default_rng(3))
    assert drawn.shape == (n,)
    d = np.linspace(2.0 - 40.0, 2.0 + 40.0, 80_001)
    density = np.exp(form(2.0, d, low, high, XP))
    cumulative = np.cumsum(density) / density.sum()
    assert stats.kstest(drawn, lambda x: np.interp(x, d, cumulative)).pvalue > 1e-3


@pytest.mark.parametrize("draw", [draw_split_gaussian, draw_barlow_gaussian])
def test_without_a_generator_the_data_are_the_truth(draw):
    truth = np.array([1.0, 2.0])
    found = draw(truth, np.array(0.3), np.array(0.5), None)
    np.testing.assert_array_equal(found, truth)
    assert found is not truth and found.dtype == np.float64


def test_a_drawn_cell_follows_the_density_of_its_row():
    log_density = np.log(np.array([[1.0, 0.0, 3.0, 0.0]]) + 1e-300) + 700.0
    found = draw_cell(np.repeat(log_density, 4000, axis=0), np.random.default_rng(1))
    assert found.shape == (4000,) and np.all((found >= 0) & (found < 1))
    cells = np.bincount((4 * found).astype(int), minlength=4)
    assert cells[1] == cells[3] == 0
    assert stats.binomtest(int(cells[2]), 4000, 0.75).pvalue > 1e-3


def test_the_middles_of_cells():
    np.testing.assert_allclose(cell_middles(4), [0.125, 0.375, 0.625, 0.875])
