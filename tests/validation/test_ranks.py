"""Uniform ranks pass, others do not; bands and intervals hold what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from astroemu.validation.ranks import (
    Uniformity,
    central_coverage,
    correct_p_values,
    cumulative_ranks,
    highest_density_coverage,
    judge_ranks,
)

N, DRAWS = 150, 99


@pytest.fixture(scope="module")
def expected():
    return Uniformity.of(N, DRAWS)


def test_p_values_of_uniform_ranks_are_uniform(expected):
    rng = np.random.default_rng(1)
    p = [expected.p_value(rng.integers(0, DRAWS + 1, N)) for _ in range(400)]
    assert kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (lambda u: u**1.4, "shifted"),
        (lambda u: 0.5 + 0.8 * (u - 0.5), "posteriors too wide"),
        (lambda u: np.clip(0.5 + 1.5 * (u - 0.5), 0, 0.999), "posteriors too narrow"),
    ],
)
def test_other_ranks_are_found(expected, wrong, what):
    rng = np.random.default_rng(2)
    found = [expected.p_value((wrong(rng.random(N)) * (DRAWS + 1)).astype(int)) for _ in range(20)]
    assert np.median(found) < 0.02, what


def test_the_band_holds_uniform_ranks_as_often_as_it_says(expected):
    rng = np.random.default_rng(3)
    low, high = expected.band(0.95)
    inside = [
        np.all((share >= low - 1e-12) & (share <= high + 1e-12))
        for share in (cumulative_ranks(rng.integers(0, DRAWS + 1, N), DRAWS) / N for _ in range(1000))
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_coverage_counts_the_middle_and_the_highest():
    ranks = np.arange(200)
    for level in (0.5, 0.68, 0.95):
        for found in (central_coverage(ranks, 199, level), highest_density_coverage(ranks, 199, level)):
            assert found["found"] == found["nominal"] == level
            assert found["low"] < level < found["high"]
    assert central_coverage(np.full(20, 100), 199, 0.5)["found"] == 1.0
    assert central_coverage(np.zeros(20, int), 199, 0.95)["found"] == 0.0
    assert highest_density_coverage(np.zeros(20, int), 199, 0.95)["found"] == 0.0


def test_the_correction_of_holm():
    assert correct_p_values([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert correct_p_values([0.9, 0.8]) == [1.0, 1.0]


def test_one_wrong_quantity_of_several_is_the_verdict():
    rng = np.random.default_rng(4)
    ranks = {name: rng.integers(0, DRAWS + 1, N) for name in "abcd"} | {"bad": rng.integers(0, DRAWS // 2, N)}
    found = judge_ranks(ranks, DRAWS)
    assert found["p_value"] == found["quantities"]["bad"]["corrected"] < 0.01
    assert all(found["quantities"][name]["corrected"] > 0.01 for name in "abcd")
