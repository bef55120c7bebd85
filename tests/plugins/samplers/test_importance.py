"""Weighted draws of a mixture: health of the weights, sums, fits."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.errors import SamplingError
from astroemu.sampling.statistics import kish_ess
from astroemu_plugins.samplers.importance import Draws, Totals, pareto_k, refined
from astroemu_plugins.samplers.mixture import Mixture

MIXTURE = Mixture(np.ones(1), np.zeros((1, 3)), np.eye(3)[None])


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_the_tail_is_found(shape):
    """The largest of Pareto draws follow a generalised Pareto distribution of the same shape."""
    found = [pareto_k(shape * np.random.default_rng(seed).exponential(size=20_000), 20_000) for seed in range(20)]
    assert np.mean(found) == pytest.approx(shape, abs=0.06)


def test_bounded_weights_have_a_shape_below_zero():
    """Uniform weights end at one: their tail has the shape -1, moved towards 0.5 a little."""
    found = pareto_k(np.log(np.random.default_rng(1).random(20_000)), 20_000)
    assert found == pytest.approx(-1.0, abs=0.2)


def test_weights_without_a_tail():
    assert pareto_k(np.zeros(1000), 1000) == -np.inf
    assert pareto_k(np.zeros(4), 1000) == np.inf


def test_draws_without_a_likelihood_lower_the_evidence():
    totals, log_weight = Totals(), np.log(np.random.default_rng(2).random(1000))
    totals.add(log_weight[:300])
    totals.add(np.concatenate([log_weight[300:], np.full(1000, -np.inf)]))
    weight = np.concatenate([np.exp(log_weight), np.zeros(1000)])
    assert totals.n == 2000 and totals.log_mean == pytest.approx(np.log(weight.mean()))
    assert totals.error == pytest.approx(weight.std() / weight.mean() / np.sqrt(2000))
    assert totals.ess == pytest.approx(kish_ess(log_weight))
    assert totals.largest_share == pytest.approx(weight.max() / weight.sum())


def test_no_likelihood_so_far():
    totals = Totals()
    totals.add(np.full(10, -np.inf))
    assert totals.ess == 0.0 and totals.log_mean == -np.inf and totals.error == np.inf


def test_weights_are_densities_over_those_of_the_mixture():
    draws = Draws.of(MIXTURE, 20_000, lambda z: np.full(len(z), -2.0), np.random.default_rng(3))
    assert np.log(np.mean(np.exp(draws.log_weight))) == pytest.approx(-2.0, abs=0.02)
    assert len(Draws.joined([draws, draws.at(draws.z[:, 0] > 0)]).z) > 29_000


def shifted(z):
    """A Gaussian of width 0.2, two standard deviations of the first mixture away."""
    return -0.5 * np.sum(((z - 1.2) / 0.2) ** 2, axis=1)


def test_a_poor_mixture_is_refined():
    found = refined(MIXTURE, shifted, 500, 4, np.random.default_rng(4))
    assert 1 < found.rounds < 8 and found.efficiency > 0.5
    draws = Draws.of(found.proposal, 20_000, shifted, np.random.default_rng(5))
    assert kish_ess(draws.log_weight) / 20_000 == pytest.approx(found.efficiency, abs=0.1)
    # the evidence of a Gaussian of width w at c under the standard normal, in each dimension
    known = 3 * (np.log(0.2) - 0.5 * np.log(1.04) - 0.5 * 1.2**2 / 1.04)
    assert np.log(np.mean(np.exp(draws.log_weight))) == pytest.approx(known, abs=0.03)


def test_a_start_with_hardly_an_effective_draw_is_refined():
    """The likelihood is tempered until enough draws count."""

    def narrow(z):
        return -0.5 * np.sum(((z - 2.0) / 0.02) ** 2, axis=1)

    draws = Draws.of(MIXTURE, 2000, narrow, np.random.default_rng(4))
    assert kish_ess(draws.log_weight) < 3
    assert refined(MIXTURE, narrow, 500, 4, np.random.default_rng(4)).efficiency > 0.4


def test_a_good_mixture_is_not_fitted_again():
    assert refined(MIXTURE, lambda z: np.zeros(len(z)), 500, 8, np.random.default_rng(6)).rounds == 1


def test_a_mixture_without_likelihood_is_an_error():
    with pytest.raises(SamplingError, match="none of 1000 draws of the mixture"):
        refined(MIXTURE, lambda z: np.full(len(z), -np.inf), 500, 2, np.random.default_rng(7))
