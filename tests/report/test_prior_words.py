"""Priors in words: what they depend on is named."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.bounded_prior import BoundedByOthers
from astroemu.core.correlated_normal import CorrelatedNormal
from astroemu.core.distributions import Normal, TruncatedNormal, Uniform
from astroemu.core.joint_prior import OrderedUniform
from astroemu.core.parameter import Parameter
from astroemu.core.posterior_prior import PosteriorPrior
from astroemu.core.prior import Prior
from astroemu.report.prior_words import distribution_words, prior_words


def joint(block, unit=""):
    parameters = [Parameter(name, block.marginal(name), unit=unit) for name in block.names]
    return Prior((*parameters, *(Parameter(name, Uniform(0, 1)) for name in block.given)), (block,))


def test_an_independent_prior_has_its_numbers_and_its_unit():
    prior = Prior((Parameter("a", Normal(0, 2), unit="keV"),))
    assert prior_words(prior, "a") == "normal, mean 0, std 2 keV"
    assert distribution_words(TruncatedNormal(0, 1, low=-1)) == "truncated_normal, mean 0, std 1, low -1"


def test_a_bound_that_is_a_parameter_is_named():
    prior = joint(BoundedByOthers("b", Uniform(0.0, 5.0), low="a"), "mK")
    assert prior_words(prior, "b") == "uniform, low a, high 5 mK"
    assert prior_words(prior, "a") == "uniform, low 0, high 1"


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (OrderedUniform(("a", "b"), 0.0, 2.0), "uniform, low 0, high 2, where a < b"),
        (
            CorrelatedNormal(("a", "b"), (0.5, 1.0), ((4.0, 1.0), (1.0, 1.0))),
            "normal, mean 0.5, std 2, correlated with b",
        ),
    ],
)
def test_what_joins_parameters_is_said(block, words):
    assert prior_words(joint(block), "a") == words


def test_a_posterior_is_given_by_its_interval():
    theta = np.random.default_rng(1).normal([3.0, 0.0], [0.5, 1.0], (4000, 2))
    found = prior_words(joint(PosteriorPrior.of(("a", "b"), theta, np.full(4000, 1 / 4000), 4000.0)), "a")
    low, _, high = found.removeprefix("posterior of former samples, 68 % in ").partition(",")[0].partition(" to ")
    assert float(low) == pytest.approx(2.5, abs=0.05) and float(high) == pytest.approx(3.5, abs=0.05)
    assert found.endswith(", correlated with b")
