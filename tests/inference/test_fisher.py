"""The Fisher matrix of a Gaussian posterior, whose covariance is known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import StubProbe, assert_provenance, command, uniform

from astroemu.errors import SamplingError
from astroemu.inference.fisher import fisher_matrix

pytestmark = pytest.mark.usefixtures("jax_if_installed")


def test_the_fisher_matrix_of_a_gaussian_is_its_inverse_covariance(gaussian):
    forecast = fisher_matrix(gaussian.model(), gaussian.centre, prior=False)
    np.testing.assert_allclose(forecast.covariance, gaussian.covariance, rtol=1e-6)
    np.testing.assert_allclose(forecast.std, [0.1, 0.3], rtol=1e-6)
    np.testing.assert_allclose(forecast.conditional, np.diag(np.linalg.inv(gaussian.covariance)) ** -0.5, rtol=1e-6)


def test_flat_priors_count_with_their_variance(gaussian):
    forecast = fisher_matrix(gaussian.model(), gaussian.centre)
    expected = np.linalg.inv(np.linalg.inv(gaussian.covariance) + np.diag([12 / 2.0**2, 12 / 10.0**2]))
    np.testing.assert_allclose(forecast.covariance, expected, rtol=1e-4)


def test_an_open_direction_is_refused_without_the_prior(gaussian):
    class Sum(StubProbe):
        def log_likelihood(self, predictions, parameters, xp):
            return -0.5 * xp.sum(predictions["it"].value, axis=1) ** 2

    flat = gaussian.other(Sum, uniform(a=(-1, 1), b=(-1, 1)))
    with pytest.raises(SamplingError, match=r"not positive definite in 'a', 'b'.*leave out --no-prior"):
        fisher_matrix(flat, np.zeros(2), prior=False)
    assert fisher_matrix(flat, np.zeros(2)).std[0] == pytest.approx(np.sqrt((1 + 3) / (3 * (2 + 3))), rel=1e-3)


def test_the_command_writes_figures_and_a_picture(tau_of_the_emulator, tmp_path):
    out = tmp_path / "forecast.json"
    code, text, error = command("fisher", *tau_of_the_emulator, "--starts", "2", "--out", str(out))
    assert code == 0, error
    written = json.loads(out.read_text())
    assert len(written["std"]) == 2 and min(written["std"]) > 0 and out.with_suffix(".png").stat().st_size > 10_000
    assert_provenance(written["provenance"], "emulator acg", engine="numpy")
    assert "compiled gradient" in text and "marginal std" in text
    assert command("fisher", "--out", str(out))[0] == 2  # never overwritten


@pytest.mark.slow
def test_the_forecast_of_the_default_configuration(tmp_path):
    out = tmp_path / "forecast.json"
    code, _, error = command("fisher", "--starts", "2", "--out", str(out))
    assert code == 0, error
    written = json.loads(out.read_text())
    assert len(written["std"]) == 9 and min(written["std"]) > 0 and out.with_suffix(".png").stat().st_size > 10_000
