"""A model as a likelihood and priors of bilby: the same numbers, and a short run."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest

from astroemu_plugins.bridges.bilby import bilby_likelihood


@pytest.fixture(scope="module")
def bilby():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("bilby")


@pytest.mark.usefixtures("bilby")
def test_bilby_gives_the_same_prior_and_likelihood(known, points):
    likelihood, priors = bilby_likelihood(known)
    for theta, log_l, log_prior in zip(*points, strict=True):
        point = dict(zip(known.names, theta, strict=True))
        assert likelihood.log_likelihood(point) == pytest.approx(log_l, rel=1e-12)
        assert priors.ln_prob(point) == pytest.approx(log_prior, rel=1e-10)
    assert priors["flat"].latex_label == known.prior["flat"].label


@pytest.mark.filterwarnings("ignore")  # those of bilby and of the sampler
def test_bilby_samples_a_model(bilby, known, tmp_path):
    likelihood, priors = bilby_likelihood(known)
    logging.getLogger("bilby").setLevel(logging.CRITICAL)
    bilby.core.utils.random.seed(1)
    result = bilby.run_sampler(
        likelihood, priors, sampler="dynesty", nlive=40, dlogz=5.0, sample="unif", outdir=str(tmp_path), label="known",
        save=False, clean=True, check_point=False, check_point_plot=False, print_method="interval-60",
    )  # fmt: skip
    assert np.mean(result.posterior["flat"]) == pytest.approx(1.0, abs=0.2)
