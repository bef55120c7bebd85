"""What a clock shows does not change a run."""

from __future__ import annotations

import time

import numpy as np
import pytest

from astroemu_plugins.samplers.ultranest import UltraNest

pytest.importorskip("ultranest")


class Shell:
    """A thin shell, of which ellipsoids are mostly empty: UltraNest asks for more and more points at once."""

    names = ("x", "y", "z")

    def prior_transform(self, u):
        return 2.0 * u - 1.0

    def log_prior(self, theta):
        return np.full(len(theta), -3 * np.log(2.0))

    def log_likelihood(self, theta):
        return -0.5 * ((np.linalg.norm(theta, axis=1) - 0.5) / 0.003) ** 2


def sampled():
    return UltraNest(live_points=40, batch=2, max_calls=20_000).run(Shell(), seed=1)


def test_ultranest_is_the_same_by_another_clock(monkeypatch):
    calm = sampled()
    now = [0.0]

    def hurried():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(time, "time", hurried)
    hasty = sampled()
    np.testing.assert_array_equal(calm.theta, hasty.theta)
    assert calm.n_likelihood == hasty.n_likelihood
