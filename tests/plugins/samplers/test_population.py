"""Population Monte Carlo on problems of known answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from astroemu.errors import SamplingError
from astroemu_plugins.samplers.population import GOOD, Population, adapted, populate, tempered

CENTRE, WIDTH = np.array([1.0, -0.5, 0.0, 2.0]), np.array([0.01, 0.02, 0.05, 0.01])


def needle(z):
    """A peak that holds one part in ten to the eighth of the prior."""
    return -0.5 * np.sum(((z - CENTRE) / WIDTH) ** 2, axis=1)


def test_walkers_start_where_the_posterior_is():
    start = populate(needle, 4, 64, 20_000, np.random.default_rng(1)).start
    # Draws of a four-dimensional Gaussian: none of 64 is 6 widths out, and they are not in one heap.
    x = (start - CENTRE) / WIDTH
    assert len(np.unique(start, axis=0)) == 64
    assert np.sqrt(np.sum(x * x, axis=1)).max() < 6
    assert np.all(np.abs(x.std(axis=0) - 1) < 0.35)


def test_the_acceptance_is_that_of_a_chain():
    found = populate(needle, 4, 64, 20_000, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    assert found.mixture is not None
    z = found.start.copy()
    accepted = []
    for _ in range(300):
        proposed = found.mixture.draw(len(z), rng)
        ratio = needle(proposed) - needle(z) - 0.5 * np.sum(proposed**2 - z**2, axis=1)
        ratio += found.mixture.log_density(z) - found.mixture.log_density(proposed)
        taken = np.log(rng.random(len(z))) < ratio
        z[taken] = proposed[taken]
        accepted.append(taken.mean())
    assert found.acceptance > 0.5 and np.mean(accepted) == pytest.approx(found.acceptance, abs=0.03)


def test_all_modes_are_in_the_mixture():
    centres = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, -1.5], [1.5, 1.5], [0.0, 0.0]])

    def modes(z):
        return np.logaddexp.reduce([-0.5 * np.sum(((z - c) / 0.15) ** 2, axis=1) + np.sum(c * c) / 2 for c in centres])

    found = populate(modes, 2, 64, 20_000, np.random.default_rng(3))
    z = found.mixture.draw(10_000, np.random.default_rng(4))
    nearest = np.argmin(np.linalg.norm(z[:, None] - centres, axis=2), axis=1)
    share = np.bincount(nearest, minlength=5) / len(z)
    assert np.all(share > 0.1) and found.acceptance > 0.3


def test_the_prior_itself_is_found_too():
    found = populate(lambda z: np.zeros(len(z)), 3, 32, 4_000, np.random.default_rng(5))
    assert found.mixture is not None and found.acceptance > 0.7


def test_a_likelihood_of_few_points_has_no_mixture():
    """Where no population gets through the tempering, there is a start but nothing to propose from."""
    rng = np.random.default_rng(6)

    def rough(z):
        return 200.0 * np.sin(1e4 * z[:, 0]) * np.cos(3e4 * z[:, 1])

    found = populate(rough, 2, 16, 200, rng)
    assert found.mixture is None and found.acceptance == 0.0 and found.start.shape == (16, 2)


def test_half_of_the_prior_may_be_impossible():
    found = populate(lambda z: np.where(ndtr(z[:, 0]) < 0.5, 0.0, -np.inf), 2, 32, 4_000, np.random.default_rng(7))
    assert np.all(found.start[:, 0] < 0)


def test_nowhere_possible_is_an_error():
    with pytest.raises(SamplingError, match="only 0 of 1000 prior draws have a finite likelihood"):
        populate(lambda z: np.full(len(z), -np.inf), 2, 16, 1_000, np.random.default_rng(8))


def test_tempering_keeps_so_many_effective_points():
    log_l = -0.5 * np.random.default_rng(9).normal(size=1000) ** 2 * 1e4
    power, log_weight = tempered(log_l, np.zeros(1000), 100)
    weight = np.exp(log_weight - log_weight.max())
    assert power < 1 and 100 <= weight.sum() ** 2 / np.sum(weight**2) < 140
    assert tempered(np.zeros(10), np.zeros(10), 5)[0] == 1.0


# --- a mixture that is fitted to walkers ----------------------------------------------------------

DIM = 12


def bent(z):
    """A narrow Gaussian in twelve dimensions, bent in two of them."""
    x = (z - 0.3) / 0.05
    x[:, 1] = x[:, 1] - 0.4 * (x[:, 0] ** 2 - 1.0)
    return -0.5 * np.sum(x * x, axis=1)


def walked(population, steps):
    """Metropolis steps that propose draws of the exact posterior: the walkers become independent draws."""
    rng, found = np.random.default_rng(8), []
    for _ in range(steps):
        x = rng.standard_normal(population.start.shape)
        x[:, 1] += 0.4 * (x[:, 0] ** 2 - 1.0)
        found.append(0.3 + 0.05 * x)
    return np.array(found)


def test_a_poor_mixture_is_fitted_to_walkers():
    poor = Population(np.zeros((64, DIM)), None, 0.0)
    found = adapted(poor, walked, bent, 20_000, GOOD, np.random.default_rng(9))
    assert found.mixture is not None and found.acceptance > 0.3
    x = (found.start - 0.3) / 0.05
    assert x.shape == (64, DIM) and np.all(np.abs(x[:, 2:].std(axis=0) - 1) < 0.4)


def test_a_good_mixture_stays_and_costs_nothing():
    good = Population(np.zeros((8, 2)), None, 0.5)
    assert adapted(good, None, None, 20_000, GOOD, None) is good


def test_few_prior_draws_leave_no_rounds():
    poor = Population(np.zeros((64, DIM)), None, 0.0)
    assert adapted(poor, None, None, 1_000, GOOD, None) is poor


def test_walkers_that_find_no_likelihood_keep_the_mixture_of_the_search():
    population = Population(np.zeros((64, DIM)), None, 0.1)
    found = adapted(population, walked, lambda z: np.full(len(z), -np.inf), 20_000, GOOD, np.random.default_rng(9))
    assert found.mixture is None and found.acceptance == 0.1
