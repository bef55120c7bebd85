"""emcee: convergence and its reasons, independent ensembles, moves."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from known_gaussian import MEAN, Gaussian, assert_only_stops, check_moments

from astroemu.errors import ConfigurationError, SamplingError
from astroemu.sampling.sampler import seeds
from astroemu.sampling.target import CountedTarget
from astroemu_plugins.samplers.emcee import _ROOM, Chain, Emcee, _doubled, _moves
from astroemu_plugins.samplers.mixture import Mixture
from astroemu_plugins.samplers.population import Population

STATM = Path("/proc/self/statm")


def test_converged_is_said_with_its_reasons():
    chain = Emcee(walkers=32).run(Gaussian(), seed=1)
    assert chain.converged and max(chain.diagnostics["r_hat"].values()) <= 1.01
    for reason in ("autocorrelation times", "burn-in", "effective samples", "split R-hat"):
        assert reason in chain.reason
    strict = Emcee(walkers=32, r_hat=1.0000001, max_steps=3000).run(Gaussian(), seed=1)
    assert not strict.converged


def test_a_short_chain_is_not_called_converged():
    samples = Emcee(walkers=16, max_steps=50).run(Gaussian(), seed=1)
    assert not samples.converged and "asked for" in samples.reason


def test_independent_ensembles_add_up():
    one, two = (
        Emcee(walkers=32, ensembles=n, max_steps=1000, effective_samples=0).run(Gaussian(), seed=1) for n in (1, 2)
    )
    assert two.diagnostics["ensembles"] == 2 and two.ess > 1.5 * one.ess and two.n_likelihood > 1.5 * one.n_likelihood
    half = len(two) // 2
    # The first ensemble has the streams of the only one; the second one has its own.
    np.testing.assert_array_equal(two.theta[:half][-32:], one.theta[-32:])
    assert not np.any(np.isin(two.theta[half:, 0], two.theta[:half, 0]))
    check_moments(two)


TINY = {"walkers": 16, "starting_draws": 500}


def test_the_declared_options_only_stop_it():
    """Two ensembles take turns, whose order must not depend on the end of the run either."""
    two = {**TINY, "ensembles": 2}
    loose = {"autocorrelation_times": 0.0, "burn_in": 0.0, "effective_samples": 0.0, "r_hat": 99.0, "check_every": 13}
    longer = {
        "autocorrelation_times": 3.0,
        "burn_in": 1.0,
        "effective_samples": 99.0,
        "r_hat": 1.0001,
        "check_every": 7,
    }
    assert_only_stops(Emcee, {**two, **loose, "max_steps": 50}, {**longer, "max_steps": 41})
    assert_only_stops(Emcee, {**two, "max_steps": 13}, {"max_steps": 22})
    assert set(longer) | {"max_steps"} == Emcee.stopping


@pytest.mark.case(25)
def test_memory_grows_with_the_steps_that_were_taken():
    """emcee's own backend takes all of max_steps at once: 128 GB here."""
    loose = {"autocorrelation_times": 0.0, "burn_in": 0.0, "effective_samples": 0.0, "r_hat": 99.0, "check_every": 9}
    assert Emcee(**TINY, **loose, max_steps=10**9).run(Gaussian(), seed=1).converged
    chain = Chain(CountedTarget(Gaussian()), Population(np.eye(8, 4), None, 0.0), "de", seeds(1, 1)[0], 10**9)
    sizes = []
    for _ in range(3 * _ROOM):
        chain.advance()
        sizes.append(len(chain.sampler.backend.chain))
    assert sizes[0] == _ROOM and sizes[-1] <= 2 * len(sizes)


@pytest.mark.skipif(not STATM.is_file(), reason="this system does not tell the resident memory")
def test_room_for_later_steps_takes_no_memory():
    """It took twice the memory of the chain, and three times while it was made."""
    chain = np.ones((1000, 64, 100))  # 51 MB: from 32 MB on, the C library takes and returns pages for each array
    before = resident()
    found = _doubled(chain)
    assert resident() - before < 1.2 * chain.nbytes
    assert found.shape == (2000, 64, 100)
    np.testing.assert_array_equal(found[:1000], chain)


def resident():
    return int(STATM.read_text().split()[1]) * resource.getpagesize()


@pytest.mark.attack("samplers", "a posterior 1e-8 as wide as its prior: emcee called the contracting walkers converged")
def test_walkers_that_still_contract_are_not_called_converged():
    class Narrow(Gaussian):
        def log_likelihood(self, theta):
            return 1e14 * (super().log_likelihood(theta) - super().log_likelihood(MEAN[None]))

    loose = {"autocorrelation_times": 3.0, "burn_in": 0.5, "effective_samples": 50.0, "r_hat": 99.0, "check_every": 50}
    samples = Emcee(**TINY, **loose, move="de", max_steps=250).run(Narrow(), seed=1)
    assert not samples.converged and "still contracting" in samples.reason


def test_log_likelihoods_that_only_rounding_tells_apart_are_refused():
    class Lifted(Gaussian):
        def log_likelihood(self, theta):
            return super().log_likelihood(theta) - 1e15

    with pytest.raises(SamplingError, match="subtract a constant"):
        Emcee(**TINY, max_steps=20).run(Lifted(), seed=1)


def test_fewer_starting_draws_are_fewer_likelihoods():
    few = Emcee(walkers=16, starting_draws=1000, max_steps=100).run(Gaussian(), seed=1)
    assert few.n_likelihood < 10_000


@pytest.mark.parametrize("move", ["de", "stretch", "kde", "mixture"])
def test_every_move_finds_means_and_widths(move):
    samples = Emcee(walkers=32, move=move).run(Gaussian(), seed=1)
    assert samples.converged, samples.reason
    assert samples.log_evidence is None and samples.ess >= 1600
    check_moments(samples)


def test_the_snooker_move_of_emcee_is_never_made():
    from emcee.moves import DESnookerMove

    moves = get_args(get_type_hints(Emcee.__init__)["move"])
    assert "de" in moves and not any("snooker" in move for move in moves)
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    for useful in (0.0, 1.0):
        population = Population(np.zeros((8, 2)), mixture, useful)
        made = [move for name in moves for move, _ in _moves(name, population)]
        assert not any(isinstance(move, DESnookerMove) for move in made)


@pytest.mark.parametrize(("acceptance", "expected"), [(0.3, 3), (0.001, 2)])
def test_a_mixture_of_which_too_little_is_accepted_is_left_out(acceptance, expected):
    mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    assert len(_moves("mixture", Population(np.zeros((8, 2)), mixture, acceptance))) == expected
    assert len(_moves("mixture", Population(np.zeros((8, 2)), None, 0.0))) == 2


@pytest.mark.parametrize(
    "build",
    [
        lambda: Emcee(walkers=7),
        lambda: Emcee(walkers=0),
        lambda: Emcee(r_hat=1.0),
        lambda: Emcee(ensembles=0),
        lambda: Emcee(starting_draws=100),
        lambda: Emcee(walkers=6).run(Gaussian(), seed=1),
        lambda: Emcee(walkers=14, move="kde").run(Gaussian(), seed=1),
    ],
)
def test_bad_options_are_refused(build):
    with pytest.raises(ConfigurationError):
        build()
