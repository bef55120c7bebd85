"""Distributions of SciPy as priors of astroemu: the same densities, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from astroemu.errors import ConfigurationError
from astroemu_probes.cobaya_priors import distribution_of


@pytest.mark.parametrize(
    "theirs",
    [
        stats.uniform(loc=1.0, scale=3.0),
        stats.norm(loc=1.0, scale=2.0),
        stats.norm(scale=0.5),
        stats.halfnorm(loc=1.0, scale=2.0),
        stats.truncnorm(a=-1.0, b=2.0, loc=1.0, scale=3.0),
        stats.loguniform(a=1e-3, b=1.0),
        stats.loguniform(a=1e-3, b=1.0, scale=2.0),
    ],
)
def test_a_counterpart_has_the_same_density(theirs):
    ours = distribution_of(theirs, "x")
    x = theirs.ppf(np.linspace(0.05, 0.95, 7))
    np.testing.assert_allclose(ours.log_density(x), theirs.logpdf(x), rtol=1e-10)
    np.testing.assert_allclose(ours.transform(np.array([0.3])), theirs.ppf(0.3), rtol=1e-8)


def test_a_prior_without_counterpart_is_refused():
    with pytest.raises(ConfigurationError, match="the prior of 'x' is 'cauchy', which has no counterpart"):
        distribution_of(stats.cauchy(loc=0.0), "x")


def test_a_shifted_logarithmic_prior_is_refused():
    with pytest.raises(ConfigurationError, match="the prior of 'x': loc = 1"):
        distribution_of(stats.loguniform(a=0.1, b=1.0, loc=1.0), "x")
