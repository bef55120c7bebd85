"""A model as a simulator and a prior for sbi."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from astroemu.errors import ConfigurationError
from astroemu_plugins.bridges.sbi import simulator_and_prior

torch = pytest.importorskip("torch")


def test_draws_and_densities_are_those_of_the_prior(known):
    prior = simulator_and_prior(known, np.random.default_rng(1)).prior
    drawn = prior.sample((1000,))
    assert drawn.shape == (1000, 4) and drawn.dtype == torch.float32
    density = prior.log_prob(drawn)
    assert torch.isfinite(density).all()
    np.testing.assert_allclose(density, known.log_prior(drawn.numpy().astype(float)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(prior.mean[[0, 2]], 1.0, atol=1e-4)
    assert prior.sample().shape == (4,)


def test_mock_data_have_the_noise_of_the_likelihood(known):
    made = simulator_and_prior(known, np.random.default_rng(1))
    theta = torch.ones((500, 4))
    data = made.simulator(theta)
    assert data.shape == (500, 5) and made.simulator(theta[0]).shape == (5,)
    np.testing.assert_allclose(data.mean(axis=0), 1.0, atol=0.03)
    np.testing.assert_allclose(data.std(axis=0), 0.1, atol=0.02)
    np.testing.assert_array_equal(made.observed, 1.0)


def test_a_probe_without_mock_data_is_named(known, monkeypatch):
    made = simulator_and_prior(known, np.random.default_rng(1))
    monkeypatch.delattr(type(known.probes["known"]), "simulate")
    with pytest.raises(ConfigurationError, match="'known' draws no mock data"):
        made.simulator(torch.ones((1, 4)))


def test_a_probe_without_panels_is_named(known, monkeypatch):
    monkeypatch.delattr(type(known.probes["known"]), "panels")
    with pytest.raises(ConfigurationError, match="'known' has no panels"):
        simulator_and_prior(known, np.random.default_rng(1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of sbi and of what it uses
def test_sbi_learns_the_posterior(known, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # sbi writes a log
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inference = pytest.importorskip("sbi.inference")
    torch.manual_seed(1)
    made = simulator_and_prior(known, np.random.default_rng(1))
    theta = made.prior.sample((300,))
    trainer = inference.NPE(prior=made.prior, density_estimator="mdn", show_progress_bars=False)
    estimator = trainer.append_simulations(theta, made.simulator(theta)).train(max_num_epochs=20)
    draws = trainer.build_posterior(estimator).sample((200,), x=made.observed, show_progress_bars=False)
    assert draws.shape == (200, 4)
    assert float(draws[:, 0].mean()) == pytest.approx(1.0, abs=0.5)
