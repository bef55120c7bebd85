"""A sampler that was stopped goes on, and gives what it would have given."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from astroemu.errors import SamplingError
from astroemu.testing.problems import Gaussian
from astroemu_plugins.samplers.emcee import Emcee
from astroemu_plugins.samplers.ultranest import UltraNest


class Stopped(BaseException):
    """What no sampler may catch: the job's time is over."""


class Limited(Gaussian):
    """The Gaussian, until so many points were evaluated."""

    def __init__(self, points=np.inf):
        super().__init__()
        self.left = points

    def log_likelihood(self, theta):
        self.left -= len(theta)
        if self.left < 0:
            raise Stopped
        return super().log_likelihood(theta)


class Moved(Gaussian):
    """Another problem under the same names."""

    def log_likelihood(self, theta):
        return super().log_likelihood(theta) - 1.0


def emcee(**options):
    return Emcee(**{"walkers": 16, "checkpoint_seconds": 0.0, "effective_samples": 500, **options})


def interrupted(sampler, folder, *, points, seed=1):
    with pytest.raises(Stopped):
        sampler.run(Limited(points), seed=seed, folder=folder)


@pytest.mark.parametrize("stops", [(5_000,), (21_000,), (24_000,), (24_000, 4_000, 4_000)])
def test_emcee_gives_bit_for_bit_what_it_would_have_given(tmp_path, stops):
    whole = emcee().run(Gaussian(), seed=1)
    for points in stops:
        interrupted(emcee(), tmp_path, points=points)
    resumed = emcee().run(Gaussian(), seed=1, folder=tmp_path)
    np.testing.assert_array_equal(resumed.theta, whole.theta)
    np.testing.assert_array_equal(resumed.log_likelihood, whole.log_likelihood)
    assert resumed.n_likelihood == whole.n_likelihood and resumed.diagnostics == whole.diagnostics


def test_emcee_goes_on_where_it_was_and_does_not_start_again(tmp_path):
    interrupted(emcee(), tmp_path, points=28_000)
    target = Limited(10_000_000)
    emcee().run(target, seed=1, folder=tmp_path)
    assert 10_000_000 - target.left < emcee().run(Gaussian(), seed=1).n_likelihood - 20_000


def test_emcee_takes_the_state_before_a_damaged_one(tmp_path):
    interrupted(emcee(), tmp_path, points=28_000)
    (tmp_path / "emcee-0.h5").write_bytes(b"half a state")
    resumed = emcee().run(Gaussian(), seed=1, folder=tmp_path)
    np.testing.assert_array_equal(resumed.theta, emcee().run(Gaussian(), seed=1).theta)


@pytest.mark.parametrize(
    ("sampler", "seed", "what"),
    [(emcee(walkers=18), 1, "walkers = 16, not 18"), (emcee(move="stretch"), 1, "move"), (emcee(), 2, "seed = 1")],
)
def test_emcee_refuses_the_state_of_another_run(tmp_path, sampler, seed, what):
    interrupted(emcee(), tmp_path, points=28_000)
    with pytest.raises(SamplingError, match=what):
        sampler.run(Gaussian(), seed=seed, folder=tmp_path)


def test_emcee_refuses_a_changed_likelihood_and_another_order(tmp_path):
    interrupted(emcee(), tmp_path, points=28_000)
    with pytest.raises(SamplingError, match="differs by up to 1"):
        emcee().run(Moved(), seed=1, folder=tmp_path)
    swapped = Gaussian()
    swapped.names = ("y", "x")
    with pytest.raises(SamplingError, match=r"names = \['x', 'y'\]"):
        emcee().run(swapped, seed=1, folder=tmp_path)


def ultranest():
    return UltraNest(live_points=100, batch=64)


def test_ultranest_goes_on_where_it_was(tmp_path):
    interrupted(ultranest(), tmp_path, points=1500)
    target = Limited(10_000_000)
    samples = ultranest().run(target, seed=1, folder=tmp_path)
    assert samples.n_likelihood - (10_000_000 - target.left) > 500  # these were kept
    assert abs(samples.log_evidence - Gaussian().log_evidence) < 4 * samples.log_evidence_err
    assert len(np.unique(samples.theta, axis=0)) == len(samples)  # and none was drawn a second time


def test_ultranest_refuses_another_run(tmp_path):
    interrupted(ultranest(), tmp_path, points=1500)
    with pytest.raises(SamplingError, match="not that of the run"):
        ultranest().run(Moved(), seed=1, folder=tmp_path)
    with pytest.raises(SamplingError, match="live_points = 100, not 50"):
        UltraNest(live_points=50).run(Gaussian(), seed=1, folder=tmp_path)


def test_ultranest_starts_again_where_its_points_were_only_begun(tmp_path):
    interrupted(ultranest(), tmp_path, points=1500)
    (tmp_path / "ultranest" / "results" / "points.hdf5").write_bytes(b"begun")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        samples = ultranest().run(Gaussian(), seed=1, folder=tmp_path)
    assert any("cannot be read" in str(each.message) for each in heard)
    assert samples.converged
