"""A model as a function of JAX and as a model of NumPyro."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import Stub, StubProbe, uniform

import astroemu
from astroemu.core.observable import Observable
from astroemu.core.requirement import Requirement
from astroemu.errors import ConfigurationError
from astroemu.model.model import Model
from astroemu_plugins.bridges.jax import log_density, log_likelihood, numpyro_model

jax = pytest.importorskip("jax")
#: Standard deviation of the data of ``known``.
ERROR = 0.1


@pytest.fixture
def double():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("double")
def test_jax_gives_the_same_posterior_and_its_gradient(known, points):
    theta, log_l, log_prior = points
    density = log_density(known)
    np.testing.assert_allclose(jax.jit(jax.vmap(density))(theta), log_l + log_prior, rtol=1e-12)
    slope = jax.jit(jax.vmap(jax.grad(density)))(theta)
    expected = known.prior.log_density_slope(theta) - (theta - 1.0) / ERROR**2
    np.testing.assert_allclose(slope, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.usefixtures("double")
def test_a_point_outside_has_no_density(known):
    outside = np.array([3.0, 1.0, 1.0, 1.0])
    assert log_density(known)(outside) == -np.inf


@pytest.mark.usefixtures("double")
def test_a_shipped_emulator_is_a_function_of_jax():
    model = astroemu.load_model("cmb", ['engine="numpy"'])
    theta = model.prior.sample(2, np.random.default_rng(1))
    evaluate = jax.jit(log_likelihood(model))
    np.testing.assert_allclose([evaluate(point) for point in theta], model.log_likelihood(theta), rtol=1e-6)
    theta[0, 0] = 0.03  # beyond the training range
    assert evaluate(theta[0]) == -np.inf


@pytest.mark.slow
@pytest.mark.usefixtures("double")
def test_numpyro_samples_a_model(known):
    numpyro = pytest.importorskip("numpyro")
    kernel = numpyro.infer.NUTS(numpyro_model(known))
    chain = numpyro.infer.MCMC(kernel, num_warmup=200, num_samples=200, progress_bar=False)
    chain.run(jax.random.PRNGKey(1))
    draws = chain.get_samples()
    assert set(draws) == set(known.names)
    assert np.mean(draws["flat"]) == pytest.approx(1.0, abs=0.05)
    assert np.std(draws["flat"]) == pytest.approx(0.1, abs=0.03)


def test_single_precision_is_refused(known):
    with pytest.raises(ConfigurationError, match="jax_enable_x64"):
        log_density(known)


@pytest.mark.usefixtures("double")
def test_a_part_on_the_host_is_refused():
    provider = Stub(("a",), {Observable("it"): lambda theta: theta[:, 0]})
    provider.host_only = True
    model = Model(uniform(a=(0, 1)), {"slow": provider}, {"probe": StubProbe(Requirement("it"))})
    with pytest.raises(ConfigurationError, match="'slow'"):
        log_likelihood(model)
