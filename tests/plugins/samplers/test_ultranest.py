"""UltraNest: evidence and births with each of its methods, the sizes of its batches, its clock."""

from __future__ import annotations

import logging
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, Gaussian, assert_only_stops, check_moments

from astroemu.errors import ConfigurationError, SamplingError
from astroemu_plugins.samplers.ultranest import UltraNest

ultranest = pytest.importorskip("ultranest")

LIVE = 200


class Heard(Gaussian):
    """The Gaussian, which notes how many points it is asked for at once."""

    def __init__(self, wall=False):
        super().__init__(wall)
        self.sizes = []

    def log_likelihood(self, theta):
        self.sizes.append(len(theta))
        return super().log_likelihood(theta)


@pytest.fixture(scope="module")
def runs():
    """Return the samples and the sizes of the batches of a method, which runs when it is first requested."""
    known = {}

    def run(method="region", wall=False):
        if (method, wall) not in known:
            target = Heard(wall)
            samples = UltraNest(live_points=LIVE, method=method).run(target, seed=1)
            known[method, wall] = samples, target.sizes
        return known[method, wall]

    return run


@pytest.mark.parametrize("method", ["region", "slice", pytest.param("friends", marks=pytest.mark.slow)])
def test_every_method_finds_the_evidence(runs, method):
    samples, _ = runs(method)
    assert samples.converged, samples.reason
    assert abs(samples.log_evidence - LOG_Z) < 3 * samples.log_evidence_err
    check_moments(samples)


def test_converged_is_said_with_its_reasons(runs):
    samples, _ = runs()
    assert 0 < samples.diagnostics["efficiency"] < 1 and "insertion orders" in samples.reason
    stopped = UltraNest(live_points=100, max_calls=1000).run(Gaussian(), seed=1)
    assert not stopped.converged and "max_calls" in stopped.reason


@pytest.mark.parametrize(("wall", "method"), [(False, "region"), (False, "slice"), (True, "region")])
def test_the_births_make_the_evidence_anew(runs, wall, method):
    """The number of live points follows from births and deaths; e^-1/n of the volume goes with each death."""
    samples, _ = runs(method, wall)
    death, birth = samples.log_likelihood, samples.log_birth
    assert np.all(np.diff(death) >= 0) and np.all(birth < death)
    live = np.searchsorted(np.sort(birth), death, side="left") - np.arange(len(death))
    log_volume = samples.log_volume - np.concatenate([[0.0], np.cumsum(1 / live)])
    shells = np.exp(log_volume[:-1]) - np.exp(log_volume[1:])
    log_evidence = np.logaddexp.reduce(death + np.log(shells))
    assert abs(log_evidence - samples.log_evidence) < 0.05
    assert live[0] >= LIVE and live[-1] == 1
    assert samples.log_volume == 0.0 if not wall else abs(samples.log_volume + np.log(2)) < 0.2


def test_half_of_the_peak_behind_a_wall_halves_the_evidence(runs):
    samples, _ = runs(wall=True)
    assert abs(samples.log_evidence - (LOG_Z - np.log(2))) < 3 * samples.log_evidence_err
    assert samples["a"].min() >= MEAN[0]


def test_it_asks_in_batches(runs):
    assert np.mean(runs()[1]) > 40  # 74; with 128 proposed at least, as UltraNest would, 35
    assert set(runs("slice")[1]) == {LIVE}  # the population


class Shell:
    """A thin shell, of which ellipsoids are mostly empty: UltraNest asks for more and more points at once."""

    names = ("x", "y", "z")

    def prior_transform(self, u):
        return 2.0 * u - 1.0

    def log_prior(self, theta):
        return np.full(len(theta), -3 * np.log(2.0))

    def log_likelihood(self, theta):
        return -0.5 * ((np.linalg.norm(theta, axis=1) - 0.5) / 0.003) ** 2


def test_it_is_the_same_by_another_clock(monkeypatch):
    sampler = UltraNest(live_points=40, batch=2, max_calls=20_000)
    calm = sampler.run(Shell(), seed=1)
    now = [0.0]

    def hurried():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(time, "time", hurried)
    hasty = sampler.run(Shell(), seed=1)
    np.testing.assert_array_equal(calm.theta, hasty.theta)
    assert calm.n_likelihood == hasty.n_likelihood


def test_the_declared_options_only_stop_it():
    assert_only_stops(UltraNest, {"live_points": 40, "batch": 64, "max_calls": 300}, {"max_calls": 500})
    assert UltraNest.stopping == {"max_calls"}


@pytest.mark.case(23)
def test_two_threads_find_what_each_finds_alone_and_leave_the_process_as_it_was():
    sampler = UltraNest(live_points=40, batch=64, max_calls=400)
    alone = [sampler.run(Gaussian(), seed=seed) for seed in (1, 2)]
    logger = logging.getLogger("ultranest")

    def state():
        return (
            ultranest.integrator.time, np.random.get_state()[1].tolist(), list(warnings.filters), logger.level,
            list(logger.handlers),
        )  # fmt: skip

    before = state()
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: sampler.run(Gaussian(), seed=seed), (1, 2)))
    assert state() == before and before[0] is time
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.theta, other.theta)


@pytest.mark.attack("samplers", "a likelihood that raises inside UltraNest: its clock and generator afterwards")
def test_a_failing_likelihood_leaves_the_process_as_it_was():
    class Failing(Gaussian):
        def log_likelihood(self, theta):
            raise KeyError("mine")

    before = np.random.get_state()[1].tolist()
    with pytest.raises(KeyError, match="mine"):
        UltraNest(live_points=40).run(Failing(), seed=1)
    assert ultranest.integrator.time is time and np.random.get_state()[1].tolist() == before


def test_a_likelihood_that_it_would_take_for_minus_infinity_is_refused():
    class Steep(Gaussian):
        def log_likelihood(self, theta):
            return 1e31 * super().log_likelihood(theta)

    with pytest.raises(SamplingError, match="no data are of such significance"):
        UltraNest(live_points=40).run(Steep(), seed=1)


def test_too_few_live_points_are_refused_before_the_run():
    with pytest.raises(ConfigurationError, match="live_points = 40 must be at least 42 for 20 parameters"):
        UltraNest(live_points=40).check(SimpleNamespace(names=tuple(f"a{i}" for i in range(20))))


@pytest.mark.parametrize("options", [{"live_points": 3}, {"evidence_fraction": 0.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        UltraNest(**options)
