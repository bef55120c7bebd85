"""Mixtures of Student t distributions: density, draws, fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_t

from astroemu_plugins.samplers.mixture import Mixture

SCALE = np.array([[1.0, 0.3, 0.0], [0.3, 0.5, 0.1], [0.0, 0.1, 0.2]])
MIXTURE = Mixture(
    np.array([0.3, 0.7]), np.array([[0.0, 0.0, 0.0], [4.0, -2.0, 1.0]]), np.stack([SCALE, 0.1 * np.eye(3)])
)


def test_the_density_is_that_of_scipy():
    z = np.random.default_rng(1).normal(size=(200, 3)) * 3
    parts = [
        weight * multivariate_t(mean, scale, df=8).pdf(z)
        for weight, mean, scale in zip(MIXTURE.weight, MIXTURE.mean, MIXTURE.scale, strict=True)
    ]
    np.testing.assert_allclose(MIXTURE.log_density(z), np.log(np.sum(parts, axis=0)), rtol=1e-12)


@pytest.mark.parametrize("rng", [np.random.default_rng(2), np.random.RandomState(2)])
def test_draws_have_its_moments(rng):
    z = MIXTURE.draw(200_000, rng)
    mean = MIXTURE.weight @ MIXTURE.mean
    inner = np.einsum("k,kij->ij", MIXTURE.weight, MIXTURE.scale) * 8 / 6
    outer = np.einsum("k,ki,kj->ij", MIXTURE.weight, MIXTURE.mean - mean, MIXTURE.mean - mean)
    assert np.all(np.abs(z.mean(axis=0) - mean) < 5 * z.std(axis=0) / np.sqrt(len(z)))
    np.testing.assert_allclose(np.cov(z.T), inner + outer, atol=0.03)


def test_a_fit_to_its_own_draws_finds_it_again():
    rng = np.random.default_rng(3)
    z = MIXTURE.draw(50_000, rng)
    fitted = Mixture.around(z, np.zeros(len(z)), 2, rng)
    for _ in range(20):
        fitted = fitted.fitted(z, np.zeros(len(z)))
    order = np.argsort(fitted.weight)
    np.testing.assert_allclose(fitted.weight[order], MIXTURE.weight, atol=0.01)
    np.testing.assert_allclose(fitted.mean[order], MIXTURE.mean, atol=0.05)
    np.testing.assert_allclose(fitted.scale[order], MIXTURE.scale, atol=0.05)


def test_weights_count():
    """Draws of a wide normal, weighted, are a narrow one."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(20_000, 2)) * 2
    log_weight = -0.5 * np.sum(((z - 1.0) / 0.3) ** 2, axis=1) + 0.125 * np.sum(z * z, axis=1)
    fitted = Mixture.around(z, log_weight, 4, rng).fitted(z, log_weight)
    found = fitted.draw(50_000, rng)
    np.testing.assert_allclose(found.mean(axis=0), 1.0, atol=0.05)
    assert np.all((found.std(axis=0) > 0.25) & (found.std(axis=0) < 0.45))


def test_components_without_points_are_dropped_and_one_is_always_left():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(1000, 2))
    far = Mixture(np.full(2, 0.5), np.array([[0.0, 0.0], [1e3, 1e3]]), np.repeat(np.eye(2)[None], 2, axis=0))
    assert len(far.fitted(z, np.zeros(len(z))).weight) == 1
    few = Mixture.around(z, np.zeros(len(z)), 8, rng).fitted(z[:3], np.zeros(3))
    assert len(few.weight) == 1 and np.all(np.isfinite(few.log_density(z)))
