"""UltraNest: evidence and births with each of its methods, the sizes of its batches, its clock."""

from __future__ import annotations

import time

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, Gaussian, check_moments

from astroemu.errors import ConfigurationError
from astroemu_plugins.samplers.ultranest import UltraNest

pytest.importorskip("ultranest")

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


@pytest.mark.parametrize("options", [{"live_points": 3}, {"evidence_fraction": 0.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        UltraNest(**options)
