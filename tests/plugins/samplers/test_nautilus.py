"""nautilus: evidence, batches of one size, runs that are cut off."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, Gaussian, assert_only_stops, check_moments
from threadpoolctl import threadpool_info

from astroemu.errors import ConfigurationError
from astroemu_plugins.samplers.nautilus import Nautilus

pytest.importorskip("nautilus")


@pytest.mark.parametrize("wall", [pytest.param(False, marks=pytest.mark.slow), True])
def test_it_finds_the_evidence(wall):
    samples = Nautilus(live_points=100, effective_samples=500).run(Gaussian(wall), seed=1)
    assert samples.converged and samples.ess >= 500, samples.reason
    assert samples.log_evidence_err == pytest.approx(samples.ess**-0.5)
    assert abs(samples.log_evidence - (LOG_Z - wall * np.log(2))) < 3 * samples.log_evidence_err
    if wall:
        assert samples["a"].min() >= MEAN[0]
    else:
        check_moments(samples)


def test_it_asks_in_batches_of_one_size():
    sizes = set()

    class Heard(Gaussian):
        def log_likelihood(self, theta):
            sizes.add(len(theta))
            return super().log_likelihood(theta)

    for networks, calls in ((1, 500), (0, 5000)):  # while bounds are made, and after
        stopped = Nautilus(100, networks, batch=128, max_calls=calls).run(Heard(), seed=1)
        assert calls <= stopped.n_likelihood < calls + 128 and np.isfinite(stopped.log_evidence)
        assert not stopped.converged and "max_calls" in stopped.reason
    assert sizes == {128}


class Disc(Gaussian):
    """A function of the radius inside a disc of radius 1, and minus infinity outside, in a square of side 10."""

    names = ("a", "b")

    def __init__(self, inside=lambda r: -0.5 * r * r):
        self.inside = inside

    def log_prior(self, theta):
        return np.full(len(theta), -2 * np.log(10.0))

    def log_likelihood(self, theta):
        r = np.linalg.norm(theta, axis=1)
        return np.where(r < 1.0, self.inside(r), -np.inf)


class Flat(Disc):
    """The same likelihood everywhere."""

    def log_likelihood(self, theta):
        return np.full(len(theta), -7.0)


#: Shares of the square: a unit Gaussian cut at one standard deviation, and a top hat.
CUT, HAT = np.log(2 * np.pi * (1 - np.exp(-0.5)) / 100), np.log(np.pi / 100)


def test_the_declared_options_only_stop_it():
    tiny = {"live_points": 100, "networks": 0, "batch": 64}
    assert_only_stops(Nautilus, {**tiny, "effective_samples": 100.0}, {"effective_samples": 200.0}, Flat())
    assert_only_stops(Nautilus, {**tiny, "max_calls": 300}, {"max_calls": 400}, Flat())
    assert Nautilus.stopping == {"effective_samples", "max_calls"}


@pytest.mark.case(13)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_a_bound_leaves_out_inside_a_wall_is_in_the_evidence(seed):
    samples = Nautilus(100, 0, effective_samples=500.0).run(Disc(), seed=seed)
    assert samples.converged and abs(samples.log_evidence - CUT) < 3 * samples.log_evidence_err


@pytest.mark.slow
@pytest.mark.case(13)
def test_the_stated_error_holds_the_truth_for_ten_seeds():
    """The seeds 3, 4, 7 and 8 were 2.2 to 6.1 errors too low."""
    pulls = []
    for seed in range(1, 11):
        samples = Nautilus().run(Disc(), seed=seed)
        pulls.append((samples.log_evidence - CUT) / samples.log_evidence_err)
    assert np.max(np.abs(pulls)) < 3 and np.sqrt(np.mean(np.square(pulls))) < 1.2


@pytest.mark.case(14)
def test_a_plateau_ends():
    hat = Disc(lambda r: np.zeros(len(r)))
    samples = Nautilus(200, 0, effective_samples=500.0).run(hat, seed=1)
    assert samples.converged and "a plateau" in samples.reason and samples.n_likelihood < 60_000
    assert abs(samples.log_evidence - HAT) < 3 * samples.log_evidence_err


@pytest.mark.attack("samplers", "nautilus in two threads: filters of warnings and threads of linear algebra afterwards")
def test_two_threads_leave_the_process_as_it_was():
    sampler = Nautilus(100, 0, batch=64, effective_samples=100.0)

    def state():
        return list(warnings.filters), [library["num_threads"] for library in threadpool_info()]

    alone, before = sampler.run(Flat(), seed=1), state()
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: sampler.run(Flat(), seed=seed), (1, 2)))
    assert state() == before
    np.testing.assert_array_equal(together[0].theta, alone.theta)


@pytest.mark.attack("samplers", "a likelihood that is the same everywhere, in nautilus")
def test_a_likelihood_that_is_the_same_everywhere_ends():
    samples = Nautilus(100, 0, effective_samples=500.0).run(Flat(), seed=1)
    assert samples.converged and samples.log_evidence == pytest.approx(-7.0)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Nautilus(live_points=3),
        lambda: Nautilus(networks=-1),
        lambda: Nautilus(effective_samples=np.inf),
        lambda: Nautilus().check(SimpleNamespace(names=("a",))),
        lambda: Nautilus(live_points=100).check(SimpleNamespace(names=tuple(f"a{i}" for i in range(60)))),
    ],
)
def test_bad_options_are_refused(build):
    with pytest.raises(ConfigurationError):
        build()
