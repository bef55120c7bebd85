"""Population Monte Carlo: evidence, moments, healthy weights, runs that are cut off."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from known_gaussian import LOG_Z, MEAN, Gaussian, assert_only_stops, check_moments

from astroemu.errors import ConfigurationError, SamplingError
from astroemu_plugins.samplers.pmc import PMC
from astroemu_plugins.samplers.population import Population


class Box:
    """A log-likelihood in a flat box of side 10."""

    def __init__(self, n_dim, log_l):
        self.names = tuple(f"x{i}" for i in range(n_dim))
        self.log_likelihood = log_l

    def prior_transform(self, u):
        return 10 * u - 5

    def log_prior(self, theta):
        inside = np.all(np.abs(theta) <= 5, axis=1)
        return np.where(inside, -len(self.names) * np.log(10.0), -np.inf)


def normalised(x, width):
    """Return the log density of independent Gaussians of one width."""
    return -0.5 * np.sum((x / width) ** 2, axis=1) - x.shape[1] * np.log(width * np.sqrt(2 * np.pi))


def bent(theta):
    """A normalised Gaussian, bent like a banana: the shift has no effect on the volume."""
    x = theta - 0.3
    x[:, 1] = x[:, 1] - 2.0 * (x[:, 0] ** 2 - 0.04)
    return normalised(x, 0.2)


def two(theta):
    """Two modes, of two thirds and one third."""
    return np.logaddexp(normalised(theta - 1.0, 0.3) + np.log(2 / 3), normalised(theta + 1.0, 0.3) + np.log(1 / 3))


def corner(theta):
    """An exponential of scale 1/3 in a corner of the box."""
    return -3.0 * np.sum(5.0 - theta, axis=1)


def wide(theta):
    return np.zeros(len(theta))


#: Log-likelihood, number of parameters, and the true values: ln Z, mean and width of every parameter.
KNOWN = {
    "Gaussian": (lambda theta: normalised(theta - 0.3, 0.2), 12, -12 * np.log(10), 0.3, 0.2),
    "two modes": (two, 4, -4 * np.log(10), 1 / 3, np.sqrt(0.09 + 8 / 9)),
    "corner": (corner, 3, -3 * np.log(30), 5 - 1 / 3, 1 / 3),
    "wide": (wide, 3, 0.0, 0.0, 10 / np.sqrt(12)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_evidence_and_moments(name):
    log_l, n_dim, log_z, mean, width = KNOWN[name]
    samples = PMC(starting_draws=10_000).run(Box(n_dim, log_l), seed=1)
    assert samples.converged and samples.ess >= 5000, samples.reason
    assert samples.log_evidence_err < 1.1 * samples.ess**-0.5 and samples.diagnostics["efficiency"] > 0.3
    assert abs(samples.log_evidence - log_z) < 4 * samples.log_evidence_err
    error = width / np.sqrt(samples.ess)
    assert np.max(np.abs(samples.mean() - mean)) < 5 * error
    assert np.max(np.abs(samples.std() - width)) < 7 * error  # an exponential has a wide distribution of squares
    assert np.sum(np.exp(samples.log_weight)) == pytest.approx(1.0)


def test_a_bent_posterior():
    samples = PMC(starting_draws=10_000).run(Box(5, bent), seed=1)
    assert samples.converged and abs(samples.log_evidence + 5 * np.log(10)) < 4 * samples.log_evidence_err
    assert np.std(samples["x1"]) > 0.2 and samples.std()[1] == pytest.approx(np.sqrt(0.04 + 8 * 0.04**2), rel=0.05)


def test_a_wall_halves_the_evidence():
    samples = PMC(effective_samples=2000, starting_draws=5000).run(Gaussian(wall=True), seed=1)
    assert samples.converged and samples["a"].min() >= MEAN[0]
    assert np.all(np.isfinite(samples.log_likelihood)) and len(samples) < samples.diagnostics["draws"]
    assert abs(samples.log_evidence - (LOG_Z - np.log(2))) < 4 * samples.log_evidence_err


def test_one_parameter():
    samples = PMC(effective_samples=500, starting_draws=2000).run(Box(1, lambda t: normalised(t, 0.1)), seed=1)
    assert samples.converged and abs(samples.log_evidence + np.log(10)) < 4 * samples.log_evidence_err


@pytest.mark.slow
@pytest.mark.parametrize("name", [*KNOWN, "bent"])
def test_the_stated_error_holds_the_truth_for_ten_seeds(name):
    log_l, n_dim, log_z, *_ = {**KNOWN, "bent": (bent, 12, -12 * np.log(10))}[name]
    pulls = []
    for seed in range(1, 11):
        samples = PMC().run(Box(n_dim, log_l), seed=seed)
        assert samples.converged, samples.reason
        pulls.append((samples.log_evidence - log_z) / samples.log_evidence_err)
    # Of ten unit normals, the root mean square is above 1.5 in one case of 400, and the mean above 1 in one of 600.
    assert np.sqrt(np.mean(np.square(pulls))) < 1.5 and abs(np.mean(pulls)) < 1.0


SMALL = {"effective_samples": 300.0, "batch": 128, "walkers": 16, "starting_draws": 1000}


def test_final_draws_come_in_batches_of_one_size():
    sizes = []

    class Heard(Gaussian):
        def log_likelihood(self, theta):
            sizes.append(len(theta))
            return super().log_likelihood(theta)

    samples = PMC(**SMALL).run(Heard(), seed=1)
    assert sum(sizes) == samples.n_likelihood
    assert set(sizes[-samples.diagnostics["draws"] // 128 :]) == {128}


def test_a_run_that_is_cut_off():
    samples = PMC(**SMALL, max_calls=1000).run(Gaussian(), seed=1)
    assert samples.diagnostics["draws"] == 128 and not samples.converged and "max_calls = 1000" in samples.reason


def test_the_declared_options_only_stop_it():
    assert_only_stops(PMC, SMALL, {"effective_samples": 900.0})
    assert_only_stops(PMC, {**SMALL, "max_calls": 1000}, {"max_calls": 1_000_000})
    assert PMC.stopping == {"effective_samples", "max_calls"}


def test_unhealthy_weights_are_not_converged(monkeypatch):
    monkeypatch.setattr("astroemu_plugins.samplers.pmc.pareto_k", lambda log_weight, n: 0.9)
    samples = PMC(**SMALL).run(Gaussian(), seed=1)
    assert not samples.converged and "(Pareto k) of 0.90" in samples.reason
    assert 1200 <= samples.ess < 1600  # four times the effective samples, within a batch and a check
    check_moments(samples)


def test_a_search_without_a_mixture_is_an_error(monkeypatch):
    nothing = Population(np.zeros((64, 4)), None, 0.0)
    monkeypatch.setattr("astroemu_plugins.samplers.emcee.Emcee.population", lambda *_: nothing)
    with pytest.raises(SamplingError, match=r"found no mixture.*Use the sampler emcee, or ultranest"):
        PMC().run(Gaussian(), seed=1)


def test_progress_says_how_far_it_is():
    heard = []
    PMC(**SMALL).run(Gaussian(), seed=1, report=heard.append)
    assert "of 300 effective samples" in heard[-1].status and heard[-1].fraction == 1.0


@pytest.mark.parametrize(
    "build",
    [
        lambda: PMC(effective_samples=99),
        lambda: PMC(effective_samples=np.inf),
        lambda: PMC(batch=0),
        lambda: PMC(max_calls=0),
        lambda: PMC(walkers=15),
        lambda: PMC(starting_draws=100),
        lambda: PMC().check(SimpleNamespace(names=tuple(f"a{i}" for i in range(33)))),
    ],
)
def test_bad_options_are_refused(build):
    with pytest.raises(ConfigurationError):
        build()
