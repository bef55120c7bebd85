"""Best fit and Fisher matrix of a Gaussian posterior, whose answers are known."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from helpers import StubProbe, assert_provenance, command, uniform

from astroemu.core.distributions import Normal
from astroemu.core.observable import Axis, Observable
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.core.provider import Prediction, Provider
from astroemu.core.requirement import Requirement
from astroemu.errors import SamplingError
from astroemu.inference.best_fit import find_best_fit
from astroemu.inference.fisher import fisher_matrix
from astroemu.model.backends.base import BACKENDS
from astroemu.model.model import Model

PAIR = Observable("pair", (Axis("i", np.array([0.0, 1.0])),))
CENTRE = np.array([0.3, 2.0])
COVARIANCE = np.array([[0.01, 0.012], [0.012, 0.09]])


@pytest.fixture(autouse=True)
def backend(monkeypatch):
    """JAX where it is installed: it compiles faster."""
    monkeypatch.setenv("KERAS_BACKEND", "jax" if find_spec(BACKENDS["jax"][1]) else "tensorflow")


class Both(Provider):
    """Two parameters as an observable of two values."""

    parameters = ("a", "b")

    @property
    def provides(self):
        return {"pair": PAIR}

    def evaluator(self, rows):
        return lambda theta, observables, xp: {"pair": Prediction(xp.take(theta, rows["pair"]))}


class Gaussian(StubProbe):
    def log_likelihood(self, predictions, parameters, xp):
        residual = predictions["it"].value - CENTRE
        return -0.5 * xp.sum(residual * xp.matmul(residual, np.linalg.inv(COVARIANCE)), axis=1)


def model(prior=None):
    probe = Gaussian(Requirement("pair", at={"i": PAIR.axes[0].values}))
    return Model(prior or uniform(a=(-1, 1), b=(0, 10)), {"both": Both()}, {"gaussian": probe}, engine="numpy")


def test_the_top_of_a_gaussian_is_found_from_every_start():
    best = find_best_fit(model(), starts=4)
    np.testing.assert_allclose(best.theta, CENTRE, atol=1e-5)
    assert abs(best.log_likelihood) < 1e-8 and best.at_edge == () and len(best.starts) == 4
    assert best.value == pytest.approx(-np.log(2.0 * 10.0), abs=1e-8)
    np.testing.assert_allclose(best.starts, best.value, atol=1e-6)


def test_a_maximum_beyond_the_prior_is_at_its_edge_and_said_to_be():
    best = find_best_fit(model(uniform(a=(-1, 0.1), b=(0, 10))), starts=2, prior=False)
    slope = COVARIANCE[0, 1] / COVARIANCE[0, 0]
    np.testing.assert_allclose(best.theta, [0.1, CENTRE[1] - 0.2 * slope], atol=1e-5)
    assert best.at_edge == ("a",) and best.value == best.log_likelihood


def test_a_normal_prior_moves_the_top():
    prior = Prior((Parameter("a", Normal(0.0, 0.1)), Parameter("b", Normal(2.0, 0.3))))
    best = find_best_fit(model(prior), starts=2)
    precision, inverse = np.diag([100.0, 1 / 0.09]), np.linalg.inv(COVARIANCE)
    expected = np.linalg.solve(precision + inverse, precision @ [0.0, 2.0] + inverse @ CENTRE)
    np.testing.assert_allclose(best.theta, expected, atol=1e-5)


def test_the_fisher_matrix_of_a_gaussian_is_its_inverse_covariance():
    forecast = fisher_matrix(model(), CENTRE, prior=False)
    np.testing.assert_allclose(forecast.covariance, COVARIANCE, rtol=1e-6)
    np.testing.assert_allclose(forecast.std, [0.1, 0.3], rtol=1e-6)
    np.testing.assert_allclose(forecast.conditional, np.diag(np.linalg.inv(COVARIANCE)) ** -0.5, rtol=1e-6)


def test_flat_priors_count_with_their_variance():
    forecast = fisher_matrix(model(), CENTRE)
    expected = np.linalg.inv(np.linalg.inv(COVARIANCE) + np.diag([12 / 2.0**2, 12 / 10.0**2]))
    np.testing.assert_allclose(forecast.covariance, expected, rtol=1e-4)


def test_an_open_direction_is_refused_without_the_prior():
    class Sum(StubProbe):
        def log_likelihood(self, predictions, parameters, xp):
            return -0.5 * xp.sum(predictions["it"].value, axis=1) ** 2

    probe = Sum(Requirement("pair", at={"i": PAIR.axes[0].values}))
    flat = Model(uniform(a=(-1, 1), b=(-1, 1)), {"both": Both()}, {"sum": probe}, engine="numpy")
    with pytest.raises(SamplingError, match="leave out --no-prior"):
        fisher_matrix(flat, np.zeros(2), prior=False)
    assert fisher_matrix(flat, np.zeros(2)).std[0] == pytest.approx(np.sqrt((1 + 3) / (3 * (2 + 3))), rel=1e-3)


def test_the_commands_write_figures_and_a_picture(tmp_path):
    out = tmp_path / "forecast.json"
    code, text, error = command("fisher", "--starts", "2", "--out", str(out))
    assert code == 0, error
    written = json.loads(out.read_text())
    assert len(written["std"]) == 9 and min(written["std"]) > 0 and out.with_suffix(".png").stat().st_size > 10_000
    assert_provenance(written["provenance"], "emulator acg", engine="numpy")
    assert "compiled gradient" in text and "marginal std" in text
    assert command("fisher", "--out", str(out))[0] == 2  # never overwritten
    code, text, error = command("maximize", "--starts", "1", "--likelihood")
    assert code == 0 and "log-likelihood -6" in text, error


def test_a_model_that_runs_a_simulator_has_no_gradient():
    code, _, error = command("maximize", "galaxies")
    assert code == 2 and "no gradient goes through 'park19'" in error
