"""The best fit of a Gaussian posterior, whose maximum is known."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from helpers import StubProbe, assert_provenance, command, uniform

from astroemu.core.distributions import Normal
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.errors import SamplingError
from astroemu.inference.best_fit import find_best_fit, prior_frame

pytestmark = pytest.mark.usefixtures("jax_if_installed")


def test_the_top_of_a_gaussian_is_found_from_every_start(gaussian):
    best = find_best_fit(gaussian.model(), starts=4)
    np.testing.assert_allclose(best.theta, gaussian.centre, atol=1e-5)
    assert abs(best.log_likelihood) < 1e-8 and best.at_edge == () and len(best.starts) == 4
    assert best.value == pytest.approx(-np.log(2.0 * 10.0), abs=1e-8)
    np.testing.assert_allclose(best.starts, best.value, atol=1e-6)


def test_a_maximum_beyond_the_prior_is_at_its_edge_and_said_to_be(gaussian):
    best = find_best_fit(gaussian.model(uniform(a=(-1, 0.1), b=(0, 10))), starts=2, prior=False)
    slope = gaussian.covariance[0, 1] / gaussian.covariance[0, 0]
    np.testing.assert_allclose(best.theta, [0.1, gaussian.centre[1] - 0.2 * slope], atol=1e-5)
    assert best.at_edge == ("a",) and best.value == best.log_likelihood


def test_a_normal_prior_moves_the_top(gaussian):
    prior = Prior((Parameter("a", Normal(0.0, 0.1)), Parameter("b", Normal(2.0, 0.3))))
    best = find_best_fit(gaussian.model(prior), starts=2)
    precision, inverse = np.diag([100.0, 1 / 0.09]), np.linalg.inv(gaussian.covariance)
    expected = np.linalg.solve(precision + inverse, precision @ [0.0, 2.0] + inverse @ gaussian.centre)
    np.testing.assert_allclose(best.theta, expected, atol=1e-5)


@pytest.mark.case(30)
def test_parameters_that_the_data_do_not_determine_are_named(gaussian):
    class OfTheFirst(StubProbe):
        """A Gaussian of ``a`` = 0.3 alone; ``plateau`` is the half width of its flat top."""

        def log_likelihood(self, predictions, parameters, xp):
            beyond = xp.maximum(xp.abs(predictions["it"].value[:, 0] - 0.3) - self.plateau, 0.0)
            return -0.5 * (beyond / 0.1) ** 2

    class Narrow(OfTheFirst):
        plateau = 0.0

    class Wide(OfTheFirst):
        plateau = 0.5

    def best(probe, **options):
        made = gaussian.other(probe, uniform(a=(-1, 1), b=(0, 10)))
        return find_best_fit(made, starts=2, **options)

    assert best(Narrow).flat == ("b",) and best(Narrow).theta[0] == pytest.approx(0.3, abs=1e-4)
    assert best(Wide).flat == ("a", "b")
    assert find_best_fit(gaussian.model(), starts=2).flat == ()


def test_the_frame_is_the_edges_and_the_central_width_of_the_prior(gaussian):
    low, high, width = prior_frame(gaussian.model())
    assert low.tolist() == [-1, 0] and high.tolist() == [1, 10]
    np.testing.assert_allclose(width, 0.6826 * (high - low), rtol=1e-3)


def test_a_likelihood_that_is_zero_everywhere_has_no_best_fit(gaussian):
    class Nothing(StubProbe):
        def log_likelihood(self, predictions, parameters, xp):
            return xp.sum(predictions["it"].value, axis=1) * np.nan

    with pytest.raises(SamplingError, match="none of 1000 prior draws has a finite likelihood"):
        find_best_fit(gaussian.other(Nothing, uniform(a=(-1, 1), b=(0, 10))))


def test_the_command_prints_and_writes_the_best_fit(tau_of_the_emulator, tmp_path):
    out = tmp_path / "best.json"
    code, text, error = command("maximize", *tau_of_the_emulator, "--starts", "1", "--likelihood", "--out", str(out))
    assert code == 0, error
    value = float(re.search(r"^log-likelihood (\S+) after", text, re.MULTILINE)[1])
    assert abs(value) < 1e-3 and "compiled gradient" in text  # one datum, which one point predicts exactly
    written = json.loads(out.read_text())
    assert written["log_likelihood"] == pytest.approx(value, abs=1e-4) and set(written["by_probe"]) == {"optical_depth"}
    assert_provenance(written["provenance"], "emulator acg", engine="numpy")


@pytest.mark.slow
def test_the_best_fit_of_the_default_configuration():
    code, text, error = command("maximize", "--starts", "1", "--likelihood")
    assert code == 0 and "log-likelihood -6" in text, error


def test_a_model_that_runs_a_simulator_has_no_gradient():
    code, _, error = command("maximize", "galaxies")
    assert code == 2 and "no gradient goes through 'park19'" in error
