"""Samples with drawn parameters: which columns, weights and numbers they have."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import uniform

from astroemu.analysis.extended_samples import ExtendedSamples
from astroemu.sampling.samples import Samples

LOG_WEIGHT = np.log([0.1, 0.2, 0.3, 0.4])
SAMPLES = Samples(("x",), np.arange(4.0)[:, None], np.arange(4.0), np.zeros(4), LOG_WEIGHT, "known", 3.0, True, "", 4)
PRIOR = uniform(n=(5.0, 6.0), x=(0.0, 4.0))


def test_each_sample_is_repeated_beside_its_draws():
    made = ExtendedSamples.of(SAMPLES, PRIOR, ["n"], 3, 1)
    assert made.names == ("x", "n") and len(made) == 12 and made.draws == 3
    np.testing.assert_array_equal(made.columns(["x"])[:, 0], np.repeat(np.arange(4.0), 3))
    drawn = made.columns(["n"])[:, 0]
    assert len(set(drawn)) == 12 and np.all((drawn >= 5) & (drawn <= 6))
    np.testing.assert_array_equal(made.columns(["n", "x"])[:, 0], drawn)
    np.testing.assert_array_equal(made.log_likelihood, np.repeat(np.arange(4.0), 3))


def test_the_seed_decides_the_draws():
    draws = [ExtendedSamples.of(SAMPLES, PRIOR, ["n"], 2, seed).theta for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_without_new_parameters_the_samples_are_as_they_are():
    made = ExtendedSamples.of(SAMPLES, PRIOR, [], 5, 1)
    assert made.draws == 1 and made.theta is SAMPLES.theta
    np.testing.assert_allclose(np.exp(made.log_weight), [0.1, 0.2, 0.3, 0.4])


def test_the_weights_of_a_sample_are_those_of_its_draws_together():
    made = ExtendedSamples.of(SAMPLES, PRIOR, ["n"], 2, 1)
    assert np.exp(made.log_weight).sum() == pytest.approx(1.0)
    keep = np.array([True] * 7 + [False])
    found = made.by_sample(made.log_weight[keep], keep)
    np.testing.assert_allclose(found, [0.1, 0.2, 0.3, 0.2])


def test_draws_of_one_sample_are_not_more_samples():
    made = ExtendedSamples.of(SAMPLES, PRIOR, ["n"], 50, 1)
    kish, effective = made.effective(made.log_weight, np.ones(len(made), dtype=bool))
    assert kish == pytest.approx(1 / 0.3) and effective == pytest.approx(3.0)
