"""A Gaussian in a box, whose evidence, means and widths are known: what samplers are tried on."""

from __future__ import annotations

import numpy as np

MEAN = np.array([0.3, -0.2, 0.0, 0.5])
WIDTH = np.array([0.1, 0.2, 0.3, 0.15])
LOG_Z = -4 * np.log(10.0)  # a normalised Gaussian in a flat box of side 10


class Gaussian:
    """A normalised four-dimensional Gaussian; with a wall, minus infinity at x_0 < mean."""

    names = ("a", "b", "c", "d")

    def __init__(self, wall=False):
        self.wall = wall

    def prior_transform(self, u):
        return 10 * u - 5

    def log_prior(self, theta):
        return np.where(np.all(np.abs(theta) <= 5, axis=1), -4 * np.log(10.0), -np.inf)

    def log_likelihood(self, theta):
        x = (theta - MEAN) / WIDTH
        values = -0.5 * np.sum(x * x, axis=1) - np.sum(np.log(WIDTH * np.sqrt(2 * np.pi)))
        return np.where(theta[:, 0] < MEAN[0], -np.inf, values) if self.wall else values


def check_moments(samples):
    """Compare means and widths with the known ones, in units of their expected errors."""
    error = WIDTH / np.sqrt(samples.ess)
    assert np.all(np.abs(samples.mean() - MEAN) < 5 * error)
    assert np.all(np.abs(samples.std() - WIDTH) < 5 * error)


class Recorded:
    """A target that keeps every batch that a sampler requests from another one."""

    def __init__(self, target):
        self.target = target
        self.names = target.names
        self.batches = []

    def __getattr__(self, name):
        return getattr(self.target, name)

    def log_likelihood(self, theta):
        self.batches.append(np.array(theta))
        return self.target.log_likelihood(theta)

    def value_and_grad(self, theta):
        self.batches.append(np.array(theta))
        return self.target.value_and_grad(theta)


def assert_only_stops(sampler, options, later, target=None):
    """Check that options only decide when to stop: the longer run begins with exactly the batches of the shorter one.

    ``later`` maps each of these options to a value with which the run goes on for longer than with ``options``.
    """
    assert set(later) <= sampler.stopping
    short, long = Recorded(target or Gaussian()), Recorded(target or Gaussian())
    sampler(**options).run(short, seed=1)
    sampler(**{**options, **later}).run(long, seed=1)
    assert len(long.batches) > len(short.batches)
    for ours, theirs in zip(short.batches, long.batches, strict=False):
        np.testing.assert_array_equal(ours, theirs)
