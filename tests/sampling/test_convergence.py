"""R-hat of half-chains, by its definition."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.sampling.convergence import halves, split_r_hat


def test_halves_of_one_distribution_give_one():
    chain = np.random.default_rng(1).standard_normal((4000, 10, 3))
    means, variances = halves(chain)
    assert means.shape == variances.shape == (2, 3)
    # The excess is Var(mean)/2, of means of 20000 points: (1 + 1 degree of freedom) / 2 / 20000.
    assert np.all(split_r_hat(means, variances) - 1 < 10 / 40_000)


def test_a_drift_and_a_chain_apart_are_seen():
    rng = np.random.default_rng(2)
    drift = rng.standard_normal((1000, 4, 1)) + np.linspace(-1, 1, 1000)[:, None, None]
    assert split_r_hat(*halves(drift))[0] > 1.1
    chains = [halves(rng.standard_normal((1000, 1)) + offset) for offset in (0.0, 1.0)]
    means, variances = (np.concatenate(parts) for parts in zip(*chains, strict=True))
    # Four means, two at 0 and two at 1: their variance is 1/3.
    assert split_r_hat(means, variances)[0] == pytest.approx(np.sqrt(4 / 3), rel=0.03)


def test_an_odd_chain_loses_its_middle():
    means, _ = halves(np.arange(5.0)[:, None])
    np.testing.assert_array_equal(means[:, 0], [0.5, 3.5])
