"""The problems of the kit: their known answers are those of the functions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from astroemu.errors import ProbeError
from astroemu.sampling.samples import Samples
from astroemu.testing.findings import NonConformance
from astroemu.testing.problems import MEAN, WIDTH, Gaussian, agrees, that_fails, training_set, with_nan


@pytest.mark.parametrize("wall", [False, True])
def test_the_evidence_is_the_integral_over_the_prior(wall):
    problem = Gaussian(wall=wall)
    x, y = np.meshgrid(np.linspace(-5, 5, 1001), np.linspace(-5, 5, 1001), indexing="ij")
    theta = np.stack([x.ravel(), y.ravel()], axis=1)
    total = np.exp(problem.log_likelihood(theta) + problem.log_prior(theta)).sum() * 0.01**2
    assert np.log(total) == pytest.approx(problem.log_evidence, abs=0.05 if wall else 1e-6)  # the wall is on a node


def test_the_gradient_is_that_of_the_likelihood():
    theta, step = np.array([[0.1, 0.4], [0.35, -0.1]]), 1e-6
    value, gradient = Gaussian().value_and_grad(theta)
    np.testing.assert_allclose(value, norm.logpdf(theta, MEAN, WIDTH).sum(axis=1))
    for j in range(2):
        moved = Gaussian().log_likelihood(theta + step * np.eye(2)[j])
        np.testing.assert_allclose((moved - value) / step, gradient[:, j], rtol=1e-3)
    assert np.isnan(Gaussian(wall=True).value_and_grad(theta)[1][0]).all()


def test_the_model_has_no_likelihood_behind_the_wall():
    theta = np.array([[MEAN[0] - 0.1, 0.0], [MEAN[0] + 0.1, 0.0]])
    model = with_nan()
    assert model.log_likelihood(theta)[0] == -np.inf and model.counts.not_finite == 1
    assert model.log_likelihood(theta)[1] == pytest.approx(Gaussian().log_likelihood(theta)[1])


def test_the_target_fails_after_so_many_calls():
    target, theta = that_fails(2), np.zeros((1, 2))
    for _ in range(2):
        target.log_likelihood(theta)
    with pytest.raises(ProbeError, match="ZeroDivisionError"):
        target.log_likelihood(theta)


def test_the_training_set_is_what_it_says():
    data = training_set(50)
    a, b = data.theta.T
    x = data.observables["line"].axes[0].values
    np.testing.assert_allclose(data.values["line"], a[:, None] + b[:, None] * x)
    np.testing.assert_allclose(data.values["number"], a * b + 2.0)


def exact(n=4000, **changed):
    """Independent draws of the Gaussian."""
    theta = MEAN + WIDTH * np.random.default_rng(1).standard_normal((n, 2))
    content = {
        **{"names": ("x", "y"), "theta": theta, "log_likelihood": Gaussian().log_likelihood(theta)},
        **{"log_prior": np.zeros(n), "log_weight": np.full(n, -np.log(n)), "sampler": "exact", "ess": float(n)},
        **{"converged": True, "reason": "", "n_likelihood": n},
    }
    return Samples(**content | changed)


def test_exact_samples_agree():
    assert "means within" in agrees(exact(), Gaussian()) and "no evidence" in agrees(exact(), Gaussian())
    evidence = {"log_evidence": Gaussian().log_evidence + 0.1, "log_evidence_err": 0.05}
    assert "ln Z within 2.0 errors" in agrees(exact(**evidence), Gaussian())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"names": ("y", "x")}, "the columns are"),
        ({"converged": False, "reason": "stopped"}, "not converged: stopped"),
        ({"n_likelihood": 0}, "did not count its likelihood evaluations"),
        ({"log_likelihood": np.zeros(4000)}, r"row 0: the samples say 0, the target says .*does not belong to theta"),
        ({"log_evidence": -3.0, "log_evidence_err": 0.05}, "ln Z = -3.000"),
        ({"log_evidence": -4.6, "log_evidence_err": 0.0}, "ln Z has no error"),
        ({"log_evidence": -4.6, "log_evidence_err": np.inf}, "ln Z has no error, or an infinite one"),
        ({"log_birth": np.full(4000, 10.0)}, "is not above its log_birth"),
    ],
)
def test_samples_that_do_not_agree_are_refused(changed, message):
    with pytest.raises(NonConformance, match=message):
        agrees(exact(**changed), Gaussian())


@pytest.mark.parametrize(("shift", "factor", "message"), [(0.02, 1.0, "means"), (0.0, 0.9, "widths")])
def test_moments_that_are_off_by_more_than_five_errors_are_refused(shift, factor, message):
    theta = exact().theta
    theta = theta.mean(axis=0) + factor * (theta - theta.mean(axis=0)) + shift
    with pytest.raises(NonConformance, match=message):
        agrees(exact(theta=theta, log_likelihood=Gaussian().log_likelihood(theta)), Gaussian())
