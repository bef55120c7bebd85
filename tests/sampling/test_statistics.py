"""Statistics of weighted values, by hand, by NumPy, and for a Gaussian and an exponential distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from astroemu.sampling.statistics import (
    QUANTILES,
    kish_ess,
    shortest_interval,
    statistics,
    systematic_resampling,
    weighted_quantile,
)


def test_weighted_quantile_of_equal_weights_is_the_plain_one():
    x = np.random.default_rng(2).random(1001)
    assert weighted_quantile(x, np.ones(1001), 0.3) == pytest.approx(np.quantile(x, 0.3), abs=2e-3)


def test_a_weighted_quantile_is_linear_between_the_middles_of_the_weights():
    x, weight = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 1.0])  # middles at 1/4, 5/8, 7/8
    levels = {0.0: 1.0, 0.25: 1.0, 0.4375: 1.5, 0.625: 2.0, 0.875: 3.0, 1.0: 3.0}
    for q, expected in levels.items():
        assert weighted_quantile(x, weight, q) == pytest.approx(expected)


@settings(max_examples=50)
@given(x=st.lists(st.floats(-100, 100), min_size=1, max_size=30), q=st.floats(0, 1))
def test_equal_weights_give_the_quantile_of_hazen(x, q):
    found = weighted_quantile(np.array(x), np.full(len(x), 0.3), q)
    assert found == pytest.approx(np.quantile(x, q, method="hazen"), abs=1e-9)


@settings(max_examples=50)
@given(counts=st.lists(st.integers(1, 9), min_size=1, max_size=12), q=st.floats(0, 1))
def test_a_weighted_quantile_lies_within_the_steps_of_the_cumulative_weight(counts, q):
    x, weight = np.arange(len(counts), dtype=float), np.array(counts) / np.sum(counts)
    found, edges = weighted_quantile(x, weight, q), np.concatenate([[0], np.cumsum(weight)])
    assert edges[int(np.floor(found))] - 1e-12 <= q <= edges[int(np.ceil(found)) + 1] + 1e-12


def test_kish_counts_equal_weights_fully_and_one_dominant_weight_once():
    assert kish_ess(np.full(50, -700.0)) == pytest.approx(50)
    assert kish_ess(np.array([0.0, -np.inf, -800.0])) == pytest.approx(1)
    assert kish_ess(np.log([0.5, 0.25, 0.25])) == pytest.approx(1 / 0.375)


def test_all_statistics_of_a_gaussian():
    n = 20_001
    x = 3.0 + 2.0 * norm.ppf((np.arange(n) + 0.5) / n)
    found = statistics(x, np.full(n, 0.5))  # weights of any sum
    assert found["mean"] == pytest.approx(3.0) and found["std"] == pytest.approx(2.0, rel=1e-3)
    for key, q in QUANTILES.items():
        assert found[key] == pytest.approx(3.0 + 2.0 * norm.ppf(q), abs=2e-3)
    assert (found["hpd68_low"], found["hpd68_high"]) == pytest.approx((3 - 1.98892, 3 + 1.98892), abs=0.04)


def test_the_shortest_interval_lies_where_the_weight_is():
    x, weight = np.array([5.0, 0.0, 1.0, 1.5, 9.0]), np.array([0.1, 0.1, 0.4, 0.3, 0.1])
    assert shortest_interval(x, weight, 0.7) == (1.0, 1.5)
    assert shortest_interval(x, weight, 0.75) == (0.0, 1.5)
    assert shortest_interval(x, weight, 1.0) == (0.0, 9.0)


def test_systematic_resampling_goes_through_the_weights_in_equal_steps():
    weight = np.array([1.0, 0.0, 2.0, 1.0])  # steps of the cumulative weight at 1/4, 1/4, 3/4, 1
    assert systematic_resampling(weight, 4).tolist() == [0, 2, 2, 3]
    assert systematic_resampling(weight, 2, start=0.9).tolist() == [2, 3]
    assert systematic_resampling(weight, 3, start=1.0).tolist() == [2, 2, 3]


@pytest.mark.case(20)
def test_values_that_are_not_defined_are_counted_and_do_not_move_the_statistics():
    x = np.random.default_rng(1).normal(3.0, 0.5, 812)
    with_gaps = np.concatenate([np.full(188, np.nan), x])
    found = statistics(with_gaps, np.ones(1000))
    assert (found.pop("draws"), found.pop("undefined"), found.pop("infinite")) == (1000, 188, 0)
    assert found == pytest.approx(statistics(x, np.ones(812)))
    assert found["median"] == pytest.approx(np.median(x), abs=0.01)


def test_statistics_of_nothing_are_not_numbers():
    found = statistics(np.full(3, np.nan), np.ones(3))
    assert found.pop("draws") == 3 and found.pop("undefined") == 3 and found.pop("infinite") == 0
    assert set(found) == {"mean", "std", *QUANTILES, "hpd68_low", "hpd68_high"} and np.isnan(list(found.values())).all()


@pytest.mark.attack("statistics", "infinite values, one sample, samples of weight zero that are NaN or infinite")
def test_infinite_values_count_in_the_quantiles():
    x = np.concatenate([np.full(5, -np.inf), np.linspace(0.0, 1.0, 990), np.full(5, np.inf)])
    found = statistics(x, np.ones(1000))
    assert found["infinite"] == 10 and found["undefined"] == 0 and found["draws"] == 1000
    assert found["median"] == pytest.approx(0.5, abs=0.01) and found["q025"] == pytest.approx(0.02, abs=0.01)
    assert not np.isfinite(found["mean"]) and np.isnan(found["std"])
    assert 0.0 <= found["hpd68_low"] < found["hpd68_high"] <= 1.0
    assert statistics(np.array([1.0, np.inf, np.inf]), np.ones(3))["q975"] == np.inf


def test_samples_without_a_weight_do_not_count():
    weight = np.array([0.0, 1.0, 1.0, 0.0])
    found = statistics(np.array([np.nan, 1.0, 2.0, np.inf]), weight)
    assert found == statistics(np.array([1.0, 2.0]), np.ones(2)) and "draws" not in found
    one = statistics(np.array([7.0]), np.ones(1))
    assert one["std"] == 0.0 and {one[key] for key in ("mean", *QUANTILES, "hpd68_low", "hpd68_high")} == {7.0}
