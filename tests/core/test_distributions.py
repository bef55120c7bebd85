"""Priors against SciPy's distributions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from astroemu.core.distributions import (
    DISTRIBUTIONS,
    Beta,
    Fixed,
    HalfNormal,
    LogUniform,
    Normal,
    TruncatedNormal,
    Uniform,
    distribution_from,
)
from astroemu.errors import ConfigurationError

PAIRS = [
    (Uniform(-1, 3), stats.uniform(-1, 4)),
    (LogUniform(1e-3, 10), stats.loguniform(1e-3, 10)),
    (Normal(2, 0.5), stats.norm(2, 0.5)),
    (TruncatedNormal(0, 1, -1, 2), stats.truncnorm(-1, 2)),
    (TruncatedNormal(0, 1, 8, 9), stats.truncnorm(8, 9)),
    (TruncatedNormal(0, 1, -12, -10), stats.truncnorm(-12, -10)),
    (HalfNormal(2.0), stats.halfnorm(0, 2)),
    (HalfNormal(0.5, -1.0), stats.halfnorm(-1, 0.5)),
    (Beta(2.0, 5.0), stats.beta(2, 5)),
    (Beta(0.5, 0.5, -1.0, 3.0), stats.beta(0.5, 0.5, -1, 4)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_transform_and_density_are_those_of_scipy(ours, theirs):
    u = np.linspace(0.001, 0.999, 201)
    x = ours.transform(u)
    np.testing.assert_allclose(x, theirs.ppf(u), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.log_density(x), theirs.logpdf(x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS if np.all(np.isfinite(pair[0].support))])
def test_the_density_ends_where_the_support_ends(ours):
    low, high = ours.support
    assert np.all(np.isfinite(ours.log_density(np.array([low, high]))))
    assert np.all(np.isneginf(ours.log_density(np.array([low - 1e-9, high + 1e-9]))))
    assert ours.transform(np.array([0.0]))[0] >= low and ours.transform(np.array([1.0]))[0] <= high


def test_truncation_renormalises():
    cut = Normal(0, 1).truncated(-1, 1)
    x = np.linspace(-1, 1, 20001)
    assert np.trapezoid(np.exp(cut.log_density(x)), x) == pytest.approx(1.0, abs=1e-7)
    with pytest.raises(ConfigurationError, match="nothing in common"):
        Uniform(0, 1).truncated(2, 3)
    with pytest.raises(ConfigurationError, match="outside"):
        Fixed(5.0).truncated(0, 1)


@pytest.mark.attack("samplers", "priors with the words of other packages, numbers as text, NaN, reversed bounds")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"distribution": "unifrom", "low": 0, "high": 1}, "Did you mean 'uniform'"),
        ({"distribution": "uniform", "low": 0, "hihg": 1}, "Did you mean 'high'"),
        ({"distribution": "uniform", "low": 0}, "needs 'high'"),
        ({"distribution": "uniform", "low": 2, "high": 1}, "below"),
        ({"distribution": "uniform", "low": "0", "high": 1}, "low = '0' must be a number, without quotation marks"),
        ({"distribution": "uniform", "low": True, "high": 1}, "low = True must be a number$"),
        ({"distribution": "gaussian", "mean": 0, "std": 1}, "Did you mean 'normal'?"),
        ({"distribution": "Flat", "low": 0, "high": 1}, "Did you mean 'uniform'?"),
        ({"distribution": "normal", "mean": 0, "sigma": 1}, "unknown key 'sigma'.*Did you mean 'std'?"),
        ({"distribution": "uniform", "min": 0, "high": 1}, "Did you mean 'low'?"),
        ({"distribution": "uniform", "low": np.nan, "high": 1}, "low = nan must be finite"),
        ({"distribution": "log_uniform", "low": 0, "high": 1}, "above 0"),
        ({"distribution": "normal", "mean": 0, "std": 0}, "above 0"),
        ({"distribution": "half_normal", "std": -1}, "above 0"),
        ({"distribution": "halfnorm", "std": 1}, "Did you mean 'half_normal'?"),
        ({"distribution": "beta", "alpha": 0, "beta": 1}, "alpha = 0.0 and beta = 1.0 must be finite and above 0"),
        ({"distribution": "beta", "a": 1, "beta": 1}, "Did you mean 'alpha'?"),
        ({"low": 0, "high": 1}, "it has no 'distribution'; choose one of 'beta'"),
    ],
)
def test_a_bad_prior_is_refused(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        distribution_from(spec)


@pytest.mark.attack("samplers", "priors of width 0, 1e-300 and 1e-14, and of the width of all numbers")
@pytest.mark.parametrize(
    ("cls", "numbers", "message"),
    [
        (Uniform, (40.0, 40.00000000000001), "too few floating-point numbers.*use distribution = 'fixed'"),
        (LogUniform, (1e9, 1e9 + 1e-4), "too few floating-point numbers"),
        (Uniform, (0.0, 1e-310), "too few floating-point numbers"),
        (Uniform, (-1e308, 1e308), "too far apart"),
        (Normal, (40.0, 1e-300), "mean = 40.0 and std = 1e-300 leave too few"),
        (TruncatedNormal, (40.0, 1e-14, 39.0, 41.0), "too few"),
    ],
)
def test_a_prior_that_floating_point_numbers_cannot_fill_is_refused(cls, numbers, message):
    with pytest.raises(ConfigurationError, match=message):
        cls(*numbers)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1e-290), (2459000.5, 2459000.51), (1e-200, 1e200)])
def test_a_narrow_or_wide_prior_that_they_can_fill_is_accepted(low, high):
    assert len(np.unique(Uniform(low, high).transform(np.linspace(0, 1, 100)))) == 100


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_density_integrates_to_one(ours, theirs):
    low, high = np.clip(ours.support, theirs.mean() - 40 * theirs.std(), theirs.mean() + 40 * theirs.std())
    total, _ = integrate.quad(lambda x: float(np.exp(ours.log_density(x))), low, high, points=[theirs.median()])
    assert total == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_the_cumulative_probability_of_a_quantile_is_its_level(ours, theirs):
    u = np.linspace(1e-4, 1 - 1e-4, 301)
    np.testing.assert_allclose(theirs.cdf(ours.transform(u)), u, rtol=1e-7)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_any_shape_goes_in_and_comes_out(ours, theirs):
    for shape in ((), (3,), (2, 3), (0,)):
        x = ours.transform(np.full(shape, 0.5))
        assert np.shape(x) == shape and np.shape(ours.log_density(x)) == shape


@pytest.mark.parametrize("edge", [8.0, 12.0, 30.0, 37.0, 100.0])
def test_far_tails_agree_with_scipy_on_both_sides(edge):
    u = np.linspace(0.001, 0.999, 101)
    upper, lower = TruncatedNormal(0, 1, edge, edge + 1), TruncatedNormal(0, 1, -edge - 1, -edge)
    reference = stats.truncnorm(edge, edge + 1)
    x = upper.transform(u)
    np.testing.assert_allclose(upper.log_density(x), reference.logpdf(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(reference.cdf(x), u, rtol=1e-6)
    np.testing.assert_allclose(lower.transform(1 - u), -x, rtol=1e-13)
    np.testing.assert_allclose(lower.log_density(-x), upper.log_density(x), rtol=1e-12)


@pytest.mark.parametrize("edge", [100.0, 1000.0])
def test_the_excess_over_a_very_far_edge_is_exponential(edge):
    u = np.array([0.1, 0.5, 0.9])
    excess = TruncatedNormal(3.0, 2.0, 3.0 + 2 * edge).transform(u) - (3.0 + 2 * edge)
    np.testing.assert_allclose(excess, -2 * np.log1p(-u) / edge, rtol=5 / edge**2 + 1e-9 * edge)


def test_a_normal_much_wider_than_its_window_is_flat():
    ours, u = TruncatedNormal(0, 1e5, 2, 3), np.linspace(0, 1, 11)
    np.testing.assert_allclose(ours.transform(u), 2 + u, atol=1e-8)
    np.testing.assert_allclose(ours.log_density(2 + u), 0, atol=1e-8)


@pytest.mark.parametrize(
    ("mean", "std", "low", "high"),
    [
        (0.811, 9.223372036854776e18, 0.75, 0.87),
        (0.811, 6e297, 0.75, 0.87),
        (0.811, 0.006, 7.5e299, np.inf),
        (0.0, 1.0, -np.inf, -1e6),
    ],
)
def test_an_interval_that_a_normal_cannot_resolve_is_refused(mean, std, low, high):
    """The first three are of the seeds 1028069, 1037527 and 1067058 of tests/fuzz/configurations.py."""
    with pytest.raises(ConfigurationError, match="too little of a normal"):
        TruncatedNormal(mean, std, low, high)


def test_the_quantiles_of_an_unbounded_normal_end_at_infinity():
    found = Normal(2, 0.5).transform(np.array([0.0, 1e-300, 0.5, 1.0]))
    np.testing.assert_allclose(found, [-np.inf, 2 + 0.5 * stats.norm.ppf(1e-300), 2.0, np.inf], rtol=1e-12)
    assert np.all(np.isneginf(Normal(2, 0.5).log_density(np.array([-np.inf, np.inf]))))


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS])
def test_the_density_of_what_is_no_number_is_zero(ours):
    assert np.isneginf(ours.log_density(np.array([np.nan]))[0])


@settings(max_examples=60)
@given(mean=st.floats(-5, 5), std=st.floats(0.1, 10), low=st.floats(-40, 39), width=st.floats(0.01, 30))
def test_a_truncated_normal_rises_within_its_support(mean, std, low, width):
    ours = TruncatedNormal(mean, std, low, low + width)
    x = ours.transform(np.linspace(0, 1, 65))
    assert np.all(np.diff(x) >= 0)
    np.testing.assert_allclose(x[[0, -1]], [low, low + width], atol=1e-6 * width)
    assert np.all(np.isfinite(ours.log_density(x)))


@pytest.mark.parametrize(("low", "high"), [(-4.01, -1.55), (-2.33, 2.31), (-7.3, 4.43), (0.1, 0.7), (0.0, 1.0)])
def test_a_uniform_quantile_never_rounds_out_of_the_support(low, high):
    prior = Uniform(low, high)
    x = prior.transform(np.array([0.0, 1 - 2**-53, 1.0]))
    assert np.all((x >= low) & (x <= high))
    assert np.all(np.isfinite(prior.log_density(x)))


def test_a_log_uniform_prior_may_span_more_than_the_exponent_of_a_float():
    prior = LogUniform(1e-200, 1e200)
    np.testing.assert_allclose(prior.transform(np.array([0.0, 0.5, 1.0])), [1e-200, 1.0, 1e200], rtol=1e-12)
    assert prior.log_density(np.array([1.0]))[0] == pytest.approx(-np.log(400 * np.log(10)))


@pytest.mark.parametrize(
    ("whole", "cut"),
    [
        (Uniform(0, 4), Uniform(1, 4)),
        (LogUniform(0.1, 10), LogUniform(1, 10)),
        (Normal(0, 2), TruncatedNormal(0, 2, 1, 50)),
        (TruncatedNormal(0, 2, -3, 3), TruncatedNormal(0, 2, 1, 3)),
        (Fixed(2.0), Fixed(2.0)),
    ],
)
def test_truncation_is_the_overlap_of_both_ranges(whole, cut):
    assert whole.truncated(1, 50) == cut


@pytest.mark.parametrize("whole", [Uniform(0, 4), LogUniform(0.1, 10), TruncatedNormal(0, 2, -3, 3), Fixed(2.0)])
def test_truncation_to_nothing_is_refused(whole):
    with pytest.raises(ConfigurationError):
        whole.truncated(20, 30)


@pytest.mark.parametrize("low", [3.0, np.nan])
def test_a_normal_is_not_truncated_to_an_empty_range(low):
    with pytest.raises(ConfigurationError, match="below high"):
        Normal(0, 1).truncated(low, 2.0)


def test_truncation_shifts_the_density_by_the_mass_that_is_left():
    x = np.linspace(-0.9, 1.9, 7)
    gain = Normal(0, 1).truncated(-1, 2).log_density(x) - Normal(0, 1).log_density(x)
    np.testing.assert_allclose(gain, -np.log(stats.norm.cdf(2) - stats.norm.cdf(-1)), rtol=1e-12)


def test_a_fixed_value_has_all_its_density_at_one_point():
    fixed = Fixed(3.5)
    assert fixed.support == (3.5, 3.5)
    np.testing.assert_array_equal(fixed.transform(np.array([[0.0, 1.0]])), [[3.5, 3.5]])
    np.testing.assert_array_equal(fixed.log_density(np.array([3.5, 3.6])), [0.0, -np.inf])


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS] + [Fixed(2.0)])
def test_the_written_form_of_a_prior_is_read_back(ours):
    assert distribution_from({"distribution": ours.kind, **dataclasses.asdict(ours)}) == ours
    assert DISTRIBUTIONS[ours.kind] is type(ours)


def test_whole_numbers_are_read_as_floats():
    prior = distribution_from({"distribution": "truncated_normal", "mean": 0, "std": 1, "low": -1})
    assert prior == TruncatedNormal(0.0, 1.0, -1.0, np.inf)
    assert isinstance(prior.low, float)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"distribution": ["uniform"], "low": 0, "high": 1}, "not one of"),
        ({"distribution": "uniform", "low": True, "high": 1}, "low = True must be a number"),
        ({"distribution": "uniform", "low": None, "high": 1}, "must be a number"),
        ({"distribution": "uniform", "low": float("nan"), "high": 1}, "finite"),
        ({"distribution": "uniform", "low": 0, "high": float("inf")}, "finite"),
        ({"distribution": "uniform", "low": 1, "high": 1}, "below"),
        ({"distribution": "log_uniform", "low": -1, "high": 1}, "above 0"),
        ({"distribution": "normal", "mean": float("inf"), "std": 1}, "finite"),
        ({"distribution": "normal", "mean": 0, "std": float("nan")}, "above 0"),
        ({"distribution": "truncated_normal", "mean": 0, "std": 1, "low": 2, "high": 2}, "below"),
        ({"distribution": "fixed", "value": float("nan")}, "finite"),
        ({"distribution": "fixed"}, "needs 'value'"),
    ],
)
def test_a_prior_of_wrong_numbers_is_refused(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        distribution_from(spec)


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(ConfigurationError):
        distribution_from({"distribution": "uniform", "low": 0, "high": 10**400})


def _distributions():
    """Return a strategy for distributions of usual widths."""
    low, width = st.floats(-50, 50), st.floats(1e-3, 100)
    mean, std = st.floats(-20, 20), st.floats(1e-2, 20)
    flat = st.builds(lambda a, b: Uniform(a, a + b), low, width)
    logarithmic = st.builds(lambda a, b: LogUniform(a, a * (1 + b)), st.floats(1e-6, 1e3), width)
    cut = st.builds(lambda m, s, a, b: TruncatedNormal(m, s, m + s * a, m + s * (a + b)), mean, std,
                    st.floats(-8, 8), st.floats(1e-2, 10))  # fmt: skip
    return st.one_of(flat, logarithmic, cut, st.builds(Normal, mean, std))


@settings(max_examples=150)
@given(prior=_distributions(), u=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_any_quantile_rises_and_stays_in_the_support(prior, u):
    x = prior.transform(np.sort(u))
    assert np.all(x[1:] >= x[:-1]) and np.all((x >= prior.support[0]) & (x <= prior.support[1]))
    inside = np.isfinite(x)  # a normal has no finite quantile at 0 and 1
    assert np.all(np.isfinite(prior.log_density(x[inside])))
    low, high = prior.support
    assert np.all(prior.log_density(np.array([low - 1.0, high + 1.0])) == -np.inf) or low == -np.inf


@settings(max_examples=150)
@given(prior=_distributions(), low=st.floats(0.001, 0.98), share=st.floats(0.05, 1.0))
def test_any_density_between_two_quantiles_integrates_to_the_difference_of_their_probabilities(prior, low, share):
    """So the transform is the inverse of the cumulative density, and that is normalised."""
    high = low + share * (0.999 - low)
    a, b = prior.transform(np.array([low, high]))
    node, weight = np.polynomial.legendre.leggauss(80)
    x = a + (b - a) * (node + 1) / 2
    assert (b - a) / 2 * weight @ np.exp(prior.log_density(x)) == pytest.approx(high - low, rel=1e-5)


@settings(max_examples=80)
@given(prior=_distributions(), low=st.floats(0.05, 0.5), high=st.floats(0.55, 0.95))
def test_a_truncation_raises_the_density_by_one_factor(prior, low, high):
    edges = prior.transform(np.array([low, high]))
    cut = prior.truncated(*edges)
    x = cut.transform(np.linspace(0.01, 0.99, 9))
    np.testing.assert_allclose(cut.log_density(x) - prior.log_density(x), -np.log(high - low), rtol=1e-6, atol=1e-7)


@settings(max_examples=60)
@given(prior=_distributions(), u=st.floats(0.05, 0.95))
def test_the_slope_of_the_log_density_is_that_of_finite_differences(prior, u):
    x = prior.transform(np.array([u]))
    step = 1e-5 * np.maximum(np.abs(x), 1e-3)
    low, high = prior.support
    if x - step > low and x + step < high:
        expected = (prior.log_density(x + step) - prior.log_density(x - step)) / (2 * step)
        np.testing.assert_allclose(prior.log_density_slope(x), expected, rtol=1e-3, atol=1e-3)


def test_a_fixed_value_has_no_slope():
    np.testing.assert_array_equal(Fixed(3.5).log_density_slope(np.array([3.5])), [0.0])


@pytest.mark.parametrize(("whole", "cut"), [(Beta(2.0, 5.0), (0.1, 0.4)), (HalfNormal(2.0), (1.0, 5.0))])
def test_a_beta_and_a_half_normal_prior_are_cut_and_renormalised(whole, cut):
    ours, x = whole.truncated(*cut), np.linspace(*cut, 20_001)
    assert ours.support == cut
    assert np.trapezoid(np.exp(ours.log_density(x)), x) == pytest.approx(1.0, abs=1e-7)
    u, step = np.linspace(0.01, 0.99, 50), 1e-5
    slope = (ours.transform(u + step) - ours.transform(u - step)) / (2 * step)
    np.testing.assert_allclose(np.exp(-ours.log_density(ours.transform(u))), slope, rtol=1e-4)


def test_a_cut_that_leaves_too_little_of_a_beta_prior_is_refused():
    with pytest.raises(ConfigurationError, match="holds too little of this beta prior"):
        Beta(200.0, 200.0).truncated(0.9, 0.95)
