"""Priors against SciPy's distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from astroemu.distribution import Fixed, LogUniform, Normal, TruncatedNormal, Uniform, distribution_from
from astroemu.errors import ConfigurationError

PAIRS = [
    (Uniform(-1, 3), stats.uniform(-1, 4)),
    (LogUniform(1e-3, 10), stats.loguniform(1e-3, 10)),
    (Normal(2, 0.5), stats.norm(2, 0.5)),
    (TruncatedNormal(0, 1, -1, 2), stats.truncnorm(-1, 2)),
    (TruncatedNormal(0, 1, 8, 9), stats.truncnorm(8, 9)),
    (TruncatedNormal(0, 1, -12, -10), stats.truncnorm(-12, -10)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_transform_and_density_are_those_of_scipy(ours, theirs):
    u = np.linspace(0.001, 0.999, 201)
    x = ours.transform(u)
    np.testing.assert_allclose(x, theirs.ppf(u), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.log_density(x), theirs.logpdf(x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("ours", [pair[0] for pair in PAIRS if np.isfinite(pair[0].support[0])])
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


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"distribution": "unifrom", "low": 0, "high": 1}, "Did you mean 'uniform'"),
        ({"distribution": "uniform", "low": 0, "hihg": 1}, "Did you mean 'high'"),
        ({"distribution": "uniform", "low": 0}, "needs 'high'"),
        ({"distribution": "uniform", "low": 2, "high": 1}, "below"),
        ({"distribution": "uniform", "low": "0", "high": 1}, "must be a number"),
        ({"distribution": "log_uniform", "low": 0, "high": 1}, "above 0"),
        ({"distribution": "normal", "mean": 0, "std": 0}, "above 0"),
        ({"low": 0, "high": 1}, "not one of"),
    ],
)
def test_a_bad_prior_is_refused(spec, message):
    with pytest.raises(ConfigurationError, match=message):
        distribution_from(spec)
