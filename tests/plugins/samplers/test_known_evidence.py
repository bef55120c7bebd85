"""What every sampler does alike: where there is no likelihood, with the seed, and where nothing is possible.

Each sampler's own tests have its file; MultiNest, which needs a library, and NUTS, which needs gradients, have these
tests there too.
"""

from __future__ import annotations

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, WIDTH, Gaussian

from astroemu.core.distributions import Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.probe import Probe
from astroemu.errors import SamplingError
from astroemu.model.model import Model
from astroemu_plugins.samplers.emcee import Emcee
from astroemu_plugins.samplers.nautilus import Nautilus
from astroemu_plugins.samplers.pmc import PMC
from astroemu_plugins.samplers.ultranest import UltraNest


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("make", [Emcee, UltraNest, Nautilus, PMC])
def test_what_is_no_log_likelihood_is_an_error(make, value):
    wrong = Gaussian()
    wrong.log_likelihood = lambda theta: np.where(theta[:, 0] > 0, value, 0.0)
    with pytest.raises(SamplingError, match=r"a log-likelihood of (inf|nan) at .*'a'"):
        make().run(wrong, seed=1)


class Behind(Probe):
    """Half of the peak is cut off: there the probe returns NaN, infinity or minus infinity, by the second parameter."""

    parameters = tuple(Parameter(name, Uniform(-5.0, 5.0)) for name in Gaussian.names)
    requires = {}  # noqa: RUF012

    def __init__(self):
        self.returned = set()

    def log_likelihood(self, predictions, parameters, xp):
        theta = np.stack([parameters[name] for name in Gaussian.names], axis=1)
        edges = MEAN[1] + WIDTH[1] * np.array([-0.43, 0.43])  # terciles of the peak
        none = np.array([np.nan, np.inf, -np.inf])[np.digitize(theta[:, 1], edges)]
        values = np.where(theta[:, 0] < MEAN[0], none, Gaussian().log_likelihood(theta))
        self.returned |= set(values[~np.isfinite(values)].astype(str))
        return values


@pytest.mark.parametrize(
    "make",
    [
        lambda: Emcee(walkers=16, max_steps=2000),
        lambda: UltraNest(live_points=100),
        lambda: PMC(walkers=16, effective_samples=1000, starting_draws=5000),
        pytest.param(lambda: Nautilus(live_points=100, effective_samples=500), marks=pytest.mark.slow),
    ],
    ids=["emcee", "ultranest", "pmc", "nautilus"],
)
def test_where_a_probe_gives_no_number_there_is_no_posterior(make):
    """Infinity of a probe is no perfect fit: half of the peak is cut off, whatever the probe says there."""
    probe = Behind()
    model = Model(Prior(Behind.parameters), {}, {"behind": probe}, engine="numpy")
    samples = make().run(model, seed=1)
    assert samples["a"].min() >= MEAN[0] and np.all(np.isfinite(samples.log_likelihood))
    assert model.counts.not_finite > 0 and probe.returned == {"nan", "inf", "-inf"}
    halved = MEAN + np.array([WIDTH[0] * np.sqrt(2 / np.pi), 0, 0, 0])  # the mean of a half-normal
    assert np.all(np.abs(samples.mean() - halved) < 5 * WIDTH / np.sqrt(samples.ess))
    if samples.log_evidence is not None:
        assert abs(samples.log_evidence - (LOG_Z - np.log(2))) < 4 * samples.log_evidence_err


@pytest.mark.parametrize(
    "make",
    [
        lambda: Emcee(walkers=16, max_steps=300, starting_draws=2000),
        lambda: UltraNest(live_points=50),
        lambda: Nautilus(live_points=100, max_calls=600),
        lambda: PMC(walkers=16, effective_samples=200, starting_draws=2000),
    ],
    ids=["emcee", "ultranest", "nautilus", "pmc"],
)
def test_the_seed_decides(make):
    first, again, other = (make().run(Gaussian(), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.theta, again.theta)
    assert first.theta.shape != other.theta.shape or not np.array_equal(first.theta, other.theta)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Emcee, "0 of 20000"),
        (PMC, "0 of 20000"),
        (Nautilus, "none of 20224 prior draws"),
        (UltraNest, r"none of \d+ prior draws has a finite likelihood"),
    ],
)
def test_a_model_that_is_nowhere_possible_cannot_start(make, message):
    nowhere = Gaussian()
    nowhere.log_likelihood = lambda theta: np.full(len(theta), -np.inf)
    with pytest.raises(SamplingError, match=message):
        make().run(nowhere, seed=1)
