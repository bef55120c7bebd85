"""Common errors: the integrals against brute force and Monte Carlo, the linear algebra, and both compiled backends."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from astroemu.core.array_namespace import NUMPY
from astroemu.core.common_errors import (
    Groups,
    SplitGaussians,
    UpperLimits,
    gaussian_with_modes,
    log_ndtr_derivatives,
    marginal,
    principal_mode,
)
from astroemu.core.systematics import ExponentialSystematics, HalfNormalSystematics
from astroemu.model.backends.base import BACKENDS, load_backend


def brute_force(terms, m, mode):
    """ln of the integral over one amplitude, for models ``(n, 1, s)``, on a fine grid around the maximum."""
    found = []
    for model, change in zip(m[:, 0], mode[:, 0], strict=True):

        def integrand(a, model=model, change=change):
            return terms.value(model + a[:, None] * change, NUMPY).reshape(len(a), -1).sum(axis=1) - 0.5 * a * a

        low, high = -400.0, 400.0
        for _ in range(12):
            a = np.linspace(low, high, 161)
            value = integrand(a)
            inside = np.flatnonzero(value > value.max() - 25)
            low, high = a[max(inside[0] - 1, 0)], a[min(inside[-1] + 1, 160)]
        a = np.linspace(low, high, 2001)
        found.append(logsumexp(integrand(a)) + np.log((a[1] - a[0]) / np.sqrt(2 * np.pi)))
    return np.array(found)


def one_group(array):
    return np.asarray(array, dtype=float)[None, None, :]


def problem(form, data, size, points=8):
    """Terms, models and modes of one group: modes of a relative size, models from far below to far above the data."""
    rng = np.random.default_rng(1)
    d, sigma = rng.uniform(0, 5, data), 10 ** rng.uniform(-0.5, 1, data)
    m = np.geomspace(0.01, 60, points)[:, None] * rng.uniform(0.7, 1.3, data)
    mode = size * m * rng.uniform(0.8, 1.2, data)
    kind, values = {
        "limits": (UpperLimits, (d, sigma)),
        "signed limits": (UpperLimits, (d - 4, sigma)),
        "split": (SplitGaussians, (d, sigma, sigma * rng.uniform(0.3, 3, data))),
        "hard steps": (SplitGaussians, (d, np.full(data, np.inf), 0.02 * sigma)),
        "half-normal": (HalfNormalSystematics, (d, sigma, 3 * sigma)),
        "exponential": (ExponentialSystematics, (d, sigma, 2 * sigma)),
    }[form]
    return kind(*(one_group(v) for v in values)), m[:, None, :], mode[:, None, :]


FORMS = ["limits", "signed limits", "split", "hard steps", "half-normal", "exponential"]


@pytest.mark.parametrize("size", [0.02, 0.2, 0.8])
@pytest.mark.parametrize("data", [1, 4, pytest.param(60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", FORMS)
def test_the_marginal_is_the_integral(form, data, size):
    terms, m, mode = problem(form, data, size)
    np.testing.assert_allclose(marginal(terms, m, mode, NUMPY), brute_force(terms, m, mode), atol=1e-3, rtol=1e-5)


STEEP = [("limits", 20, 0.8), ("signed limits", 10, 0.4), ("limits", 4, 0.4)]


@pytest.mark.parametrize(("form", "data", "size"), STEEP)
def test_a_steep_wall_beside_the_maximum_is_found(form, data, size):
    # The power vanishes for probable amplitudes, and each datum ends its plateau at another one.
    terms, m, mode = problem(form, data, size, points=16)
    np.testing.assert_allclose(marginal(terms, m, mode, NUMPY), brute_force(terms, m, mode), atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_the_marginal_is_the_mean_over_random_amplitudes(form):
    terms, m, mode = problem(form, 5, 0.3, points=6)
    a = np.random.default_rng(2).standard_normal(20_000)
    for i, found in enumerate(marginal(terms, m, mode, NUMPY)[:4]):
        likelihood = np.exp(terms.value(m[i] + a[:, None] * mode[i], NUMPY).reshape(len(a), -1).sum(axis=1))
        error = likelihood.std() / likelihood.mean() / np.sqrt(len(a))
        assert found == pytest.approx(np.log(likelihood.mean()), abs=4 * error + 1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_without_a_mode_nothing_changes(form):
    terms, m, mode = problem(form, 7, 0.0)
    np.testing.assert_allclose(
        marginal(terms, m, mode, NUMPY), terms.value(m, NUMPY).sum(axis=(1, 2)), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_a_huge_power_is_never_more_probable_than_a_large_one(fraction):
    """An amplitude below -1/f would turn it into a negative power, which no limit excludes."""
    terms = UpperLimits(one_group([50.0, 0.0, 200.0]), one_group([200.0, 300.0, 1000.0]))
    m = np.concatenate([[0.0], np.geomspace(1.0, 1e12, 80)])[:, None, None] * np.ones(3)
    found = marginal(terms, m, fraction * m, NUMPY)
    assert np.all(np.isfinite(found)) and np.all(np.diff(found) < 3e-3)
    assert found[-1] < found[0] - 0.4 / fraction**2


def test_the_derivatives_of_ln_phi_follow_each_other():
    x, step = np.array([-80.0, -51, -49, -9, -1, 0.3, 4]), 1e-3
    before, here, after = (log_ndtr_derivatives(x + shift, NUMPY) for shift in (-step, 0, step))
    for order in range(4):
        slope = (after[order] - before[order]) / (2 * step)
        np.testing.assert_allclose(slope, here[order + 1], rtol=1e-4, atol=3e-5)
    assert np.all(np.isfinite(log_ndtr_derivatives(np.array([-1e12, 1e12]), NUMPY)))


PRIORS = {
    HalfNormalSystematics: lambda b, width: np.exp(-0.5 * (b / width) ** 2),
    ExponentialSystematics: lambda b, width: np.exp(-b / width),
}


@pytest.mark.parametrize("form", PRIORS)
@pytest.mark.parametrize("width", [1e-3, 0.3, 1.0, 20.0])
def test_finite_priors_of_systematics_are_their_convolutions(form, width):
    edges = np.linspace(0, min(60.0, 100 * width), 100_001)
    b = 0.5 * (edges[1:] + edges[:-1])
    for x in (-5.0, 0.0, 2.0):
        density = np.exp(-0.5 * (x - b) ** 2) * PRIORS[form](b, width)
        expected = np.log(density.sum() * (b[1] - b[0]) / np.sqrt(2 * np.pi))
        found = form(np.array([x]), np.array([1.0]), np.array([width])).value(np.array([0.0]), NUMPY)[0]
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("form", PRIORS)
def test_a_wide_prior_is_the_flat_one_and_a_narrow_one_a_detection(form):
    d, sigma, m = np.array([-3.0, 0.0, 8.0]), np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 9.0])
    wide = form(d, sigma, np.full(3, 1e9)).value(m, NUMPY)
    np.testing.assert_allclose(wide, UpperLimits(d, sigma).value(m, NUMPY), atol=1e-6)
    narrow = form(d, sigma, np.full(3, 1e-7))
    gaussian = -0.5 * ((d - m) / sigma) ** 2 + 0.5 * (d / sigma) ** 2
    np.testing.assert_allclose(narrow.value(m, NUMPY) - narrow.value(np.zeros(3), NUMPY), gaussian, atol=1e-5)


def test_groups_of_unequal_sizes_are_integrated_one_by_one():
    rng = np.random.default_rng(3)
    labels = ["b", "a", "b", "c", "b", "a", "b"]
    groups = Groups(labels)
    d, sigma, width = rng.uniform(0, 3, 7), rng.uniform(0.5, 2, 7), rng.uniform(1, 9, 7)
    m = rng.uniform(0, 4, (5, 7))
    for kind, arrays in ((UpperLimits, (d, sigma)), (HalfNormalSystematics, (d, sigma, width))):
        terms = kind.grouped(groups, *arrays, NUMPY)
        together = marginal(terms, groups.of_models(m, NUMPY), groups.of_models(0.3 * m, NUMPY), NUMPY)
        alone = 0.0
        for rows in groups.members:
            terms = kind(*(one_group(array[rows]) for array in arrays))
            alone = alone + marginal(terms, m[:, None, rows], 0.3 * m[:, None, rows], NUMPY)
        np.testing.assert_allclose(together, alone, atol=1e-3)
    np.testing.assert_array_equal(groups.joined([d[rows] for rows in groups.members]), d)
    varied = groups.of_terms(np.tile(sigma, (5, 1)), 9.0, NUMPY)
    np.testing.assert_array_equal(varied[0], groups.of_terms(sigma, 9.0, NUMPY))


def test_the_principal_mode_is_the_first_singular_vector():
    rng = np.random.default_rng(4)
    sigma = rng.uniform(0.5, 2, 6)
    modes = rng.normal(size=(8, 3, 6)) * np.array([5.0, 1.0, 0.3])[:, None]
    strongest, rest = principal_mode(modes, sigma, NUMPY)
    for each, found, more in zip(modes, strongest, rest, strict=True):
        u, _, _ = np.linalg.svd(each / sigma, full_matrices=False)
        np.testing.assert_allclose(np.abs(found), np.abs(u[:, 0] @ each), rtol=1e-2, atol=1e-2)
        np.testing.assert_allclose(found**2 + more, np.sum(each**2, axis=0), rtol=1e-9)
    alone, nothing = principal_mode(modes[:, :1], sigma, NUMPY)
    np.testing.assert_array_equal(alone, modes[:, 0])
    assert nothing is None and np.all(np.isfinite(principal_mode(0 * modes, sigma, NUMPY)))


def test_a_gaussian_with_modes_has_the_full_covariance():
    rng = np.random.default_rng(5)
    residual, variance = rng.normal(size=(4, 9)), rng.uniform(0.5, 3, (4, 9))
    modes = rng.normal(size=(4, 2, 9))
    full = [
        multivariate_normal.logpdf(r, np.zeros(9), np.diag(v) + u.T @ u) + 4.5 * np.log(2 * np.pi)
        for r, v, u in zip(residual, variance, modes, strict=True)
    ]
    np.testing.assert_allclose(gaussian_with_modes(residual, variance, modes, NUMPY), full, rtol=1e-10)


# --- compiled -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=list(BACKENDS))
def backend(request):
    pytest.importorskip(BACKENDS[request.param][1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", request.param)
        yield load_backend()


def of_a_factor(form, theta, xp):
    """ln L at points of one parameter: a factor of the model."""
    terms, m, mode = problem(form, 4, 0.4, points=1)
    return marginal(terms, 40 * m * theta[:, :, None], 40 * mode * theta[:, :, None], xp)


# Gradients take long to compile.
@pytest.mark.slow
@pytest.mark.parametrize("form", ["limits", "hard steps", "exponential"])
def test_both_backends_agree_and_have_gradients(backend, form):
    theta = np.geomspace(0.05, 300, 16)[:, None]
    gradient = backend.with_gradient(lambda t: of_a_factor(form, t, backend.xp))
    found, slope = backend.compile(gradient, (theta,))(theta)
    np.testing.assert_allclose(found, of_a_factor(form, theta, NUMPY), atol=1e-6, rtol=1e-6)
    step = 1e-3 * theta
    ahead, behind = (of_a_factor(form, theta + shift, NUMPY) for shift in (step, -step))
    assert np.all(np.isfinite(slope))
    # Per relative change of the model. The integral itself is accurate to 1e-3.
    np.testing.assert_allclose((slope * theta)[:, 0], (ahead - behind) / 2e-3, rtol=2e-2, atol=5e-2)
