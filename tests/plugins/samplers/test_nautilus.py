"""nautilus: evidence, batches of one size, runs that are cut off."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, Gaussian, check_moments

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


@pytest.mark.parametrize(
    "build",
    [
        lambda: Nautilus(live_points=3),
        lambda: Nautilus(networks=-1),
        lambda: Nautilus(effective_samples=np.inf),
        lambda: Nautilus().check(SimpleNamespace(names=("a",))),
    ],
)
def test_bad_options_are_refused(build):
    with pytest.raises(ConfigurationError):
        build()
