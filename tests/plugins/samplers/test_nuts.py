"""NUTS: known moments, walls, seeds, and that whatever goes wrong is said."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from known_gaussian import MEAN, WIDTH, Gaussian, assert_only_stops, check_moments

from astroemu.core.distributions import LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.errors import ConfigurationError, PluginError, ProbeError, SamplingError
from astroemu.inference.configuration import load_configuration
from astroemu.inference.fitting import fit
from astroemu.sampling.target import CountedTarget
from astroemu_plugins.samplers import nuts
from astroemu_plugins.samplers.nuts import Nuts

QUICK = {"chains": 8, "warmup": 2, "starting_draws": 2000}
SHORT = {**QUICK, "draws": 20, "max_draws": 20}


class Smooth(Gaussian):
    """The Gaussian with its gradient, NaN behind the wall, and a hand in every answer."""

    def __init__(self, wall=False, spoil=lambda theta, value, gradient: None):
        super().__init__(wall)
        self.spoil = spoil

    def prior_slope(self, u):
        return np.full(u.shape, 10.0)

    def value_and_grad(self, theta):
        value = self.log_likelihood(theta)
        gradient = np.where(np.isfinite(value)[:, None], (MEAN - theta) / WIDTH**2, np.nan)
        self.spoil(theta, value, gradient)
        return value, gradient


@pytest.mark.slow
def test_means_and_widths():
    samples = Nuts(starting_draws=2000).run(Smooth(), seed=1)
    assert samples.converged and samples.ess >= 2000, samples.reason
    assert samples.log_evidence is None and samples.n_likelihood > len(samples)
    np.testing.assert_allclose(samples.log_likelihood, Gaussian().log_likelihood(samples.theta), atol=1e-9)
    check_moments(samples)
    for key in ("ess_mean", "ess_variance", "r_hat"):
        assert tuple(samples.diagnostics[key]) == samples.names
    assert samples.diagnostics["divergences"] == 0 and 0.6 < samples.diagnostics["acceptance"] < 1


@pytest.mark.slow
@pytest.mark.parametrize("dense", [True, False])
def test_a_wall_through_the_peak(dense, monkeypatch):
    # Most of the time is compilation, which may as well be without optimisation.
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true")
    samples = Nuts(**QUICK, dense_mass=dense, effective_samples=500, r_hat=1.03).run(Smooth(wall=True), seed=1)
    assert samples.converged and samples["a"].min() >= MEAN[0], samples.reason
    mean, width = MEAN[0] + WIDTH[0] * np.sqrt(2 / np.pi), WIDTH[0] * np.sqrt(1 - 2 / np.pi)
    error = width / np.sqrt(samples.ess)
    assert abs(samples.mean()[0] - mean) < 5 * error and abs(samples.std()[0] - width) < 5 * error
    assert samples.diagnostics["divergences"] > 0 and "met a wall" in samples.reason


@pytest.mark.slow
def test_a_gradient_that_is_no_number_moves_nothing():
    def spoil(theta, value, gradient):
        gradient[theta[:, 1] > MEAN[1] + WIDTH[1]] = np.nan  # in a sixth of the posterior

    samples = Nuts(**QUICK, effective_samples=500, r_hat=1.03).run(Smooth(spoil=spoil), seed=1)
    assert samples.converged, samples.reason
    check_moments(samples)


@pytest.mark.slow
def test_the_declared_options_only_stop_it():
    loose = {"effective_samples": 0.0, "r_hat": 99.0}
    assert_only_stops(Nuts, {**QUICK, "draws": 20, **loose}, {"effective_samples": 400.0, "r_hat": 1.0001}, Smooth())
    assert_only_stops(Nuts, SHORT, {"max_draws": 40}, Smooth())
    assert Nuts.stopping == {"effective_samples", "r_hat", "max_draws"}


@pytest.mark.slow
def test_the_seed_decides():
    one, again, other = (Nuts(**SHORT).run(Smooth(), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.theta, again.theta)
    assert one.diagnostics == again.diagnostics and not np.any(one.theta == other.theta)


@pytest.mark.slow
def test_a_short_run_is_not_called_converged():
    samples = Nuts(**SHORT).run(Smooth(), seed=1)
    assert not samples.converged and "at most 20" in samples.reason and samples.ess < 2000


@pytest.mark.parametrize(
    ("error", "call"), [pytest.param(ProbeError("no"), 50, marks=pytest.mark.slow), (SystemExit(143), 1)]
)
def test_an_exception_of_a_likelihood_passes_at_once(error, call):
    """On the way, and at the start, before the trajectories are compiled."""
    calls = []

    def spoil(*_):
        calls.append(1)
        if len(calls) == call:
            raise error

    with pytest.raises(type(error)):
        Nuts(**SHORT).run(Smooth(spoil=spoil), seed=1)
    assert len(calls) == call


def test_a_process_that_ends_is_no_result(monkeypatch):
    monkeypatch.setattr(nuts, "_ENVIRONMENT", {"JAX_PLATFORMS": "abacus"})
    with pytest.raises(SamplingError, match=r"(?s)NumPyro ended with exit code 1 and no result. It said: .*abacus"):
        Nuts(**SHORT).run(Smooth(), seed=1)


def test_a_start_without_a_gradient_is_said():
    def spoil(theta, value, gradient):
        value[0] = -np.inf

    with pytest.raises(SamplingError, match="but none when it is evaluated with its gradient"):
        Nuts(**SHORT).run(Smooth(spoil=spoil), seed=1)


def test_the_slope_of_every_prior_is_that_of_its_quantiles():
    distributions = [Uniform(-1, 3), LogUniform(0.1, 10), Normal(1, 2), TruncatedNormal(0, 1, 2.0, 5.0)]
    prior = Prior(tuple(Parameter(f"p{i}", d) for i, d in enumerate(distributions)))
    u = np.random.default_rng(1).uniform(0.05, 0.95, (50, 4))
    difference = (prior.transform(u + 1e-6) - prior.transform(u - 1e-6)) / 2e-6
    np.testing.assert_allclose(prior.slope(u), difference, rtol=1e-6)


def test_the_gradient_is_that_of_the_potential_far_out_too():
    class Skewed:
        """A likelihood that is flat, so that what is left is the prior's own."""

        names = ("x", "y")
        prior = Prior((Parameter("x", Normal(1.0, 2.0)), Parameter("y", LogUniform(1e-3, 1e3))))
        prior_transform, prior_slope = prior.transform, prior.slope

        def value_and_grad(self, theta):
            return -np.sum(theta, axis=1), -np.ones_like(theta)

    z = np.array([[0.1, -0.2], [-6.0, 3.0], [-25.0, 5.0], [6.0, -7.0]])
    found = nuts._potential(CountedTarget(Skewed()), z)
    assert np.all(np.isfinite(found))
    for j in range(2):
        step = 1e-4 * np.eye(2)[j]
        ahead, behind = (nuts._potential(CountedTarget(Skewed()), z + sign * step)[:, 0] for sign in (1, -1))
        np.testing.assert_allclose(found[:, 1 + j], (ahead - behind) / 2e-4, rtol=1e-4)


def test_without_gradients_it_is_refused():
    with pytest.raises(ConfigurationError, match="follows gradients, and Gaussian has no prior_slope and no value_"):
        Nuts().check(Gaussian())
    with pytest.raises(ConfigurationError, match="follows gradients"):
        Nuts().check(CountedTarget(Gaussian()))
    Nuts().check(CountedTarget(Smooth()))


def test_a_simulator_in_the_likelihood_is_refused_and_nothing_written(tmp_path):
    configuration = load_configuration("galaxies")
    with pytest.raises(ConfigurationError, match="no gradient goes through 'park19'"):
        fit(configuration, out=tmp_path / "run", sampler="nuts")
    assert not (tmp_path / "run").exists()


def test_without_numpyro_the_remedy_is_said(monkeypatch):
    monkeypatch.setattr(nuts, "find_spec", lambda _: None)
    with pytest.raises(PluginError, match=r"pip install 'astroemu-inference\[nuts\]'"):
        Nuts().check(Smooth())


def test_listing_it_imports_no_jax():
    code = "import astroemu_plugins.samplers.nuts, sys; sys.exit('jax' in sys.modules or 'numpyro' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        {"chains": 1},
        {"warmup": 0},
        {"draws": 5},
        {"max_draws": 20},
        {"effective_samples": np.inf},
        {"r_hat": 1.0},
        {"target_accept": 1.0},
        {"starting_draws": 100},
    ],
)
def test_bad_options_are_refused(options):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Nuts(**options)
