"""Joint priors: what the unit cube becomes, against the density and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from astroemu.core.bounded_prior import BoundedByOthers
from astroemu.core.correlated_normal import CorrelatedNormal
from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.joint_prior import OrderedUniform
from astroemu.core.parameter import Parameter
from astroemu.core.posterior_prior import PosteriorPrior
from astroemu.core.prior import Prior
from astroemu.errors import ConfigurationError

MEAN, COVARIANCE = (1.0, -2.0, 0.5), ((0.04, 0.018, 0.0), (0.018, 0.01, 0.002), (0.0, 0.002, 4.0))
NORMAL = CorrelatedNormal(("a", "b", "c"), MEAN, COVARIANCE)
CUT = CorrelatedNormal(("a", "b", "c"), MEAN, COVARIANCE, low=(0.9, -np.inf, -3.0), high=(1.5, -1.9, np.inf))
ORDERED = OrderedUniform(("a", "b", "c"), 2.0, 6.0)


def banana(n=6_000, seed=3):
    """Samples of a curved posterior with a hard wall, and their weights."""
    rng = np.random.default_rng(seed)
    a, wall = rng.normal(size=n), rng.uniform(0.0, 5.0, n)
    return np.stack([a, 0.5 * a**2 + 0.3 * rng.normal(size=n), wall], axis=1), rng.uniform(0.5, 1.5, n)


BANANA = PosteriorPrior.of(("a", "b", "c"), *banana(), 3_000.0)


def prior_of(*joint, **others):
    members = {name: block.marginal(name) for block in joint for name in block.names}
    return Prior(tuple(Parameter(name, d) for name, d in (others | members).items()), joint)


def bounded(name, base, **bounds):
    return BoundedByOthers(name, base, **bounds)


PRIORS = {
    "normal": prior_of(NORMAL, d=Uniform(0, 2)),
    "cut": prior_of(CUT),
    "ordered": prior_of(ORDERED),
    "banana": prior_of(BANANA),
    "cut banana": prior_of(BANANA).truncated({"a": (-1.0, 2.0), "c": (1.0, 4.0)}),
    "uniform above another": prior_of(bounded("b", Uniform(0, 5), low="a"), a=Uniform(0, 3)),
    "between two": prior_of(
        bounded("b", TruncatedNormal(1, 2, 0, 4), low="a", high="c"), a=Uniform(0, 1), c=LogUniform(2, 4)
    ),
    "chained": prior_of(
        bounded("c", Uniform(0, 5), low="b"),
        bounded("b", LogUniform(0.1, 5), high="a"),
        a=Normal(3, 0.1).truncated(1, 5),
    ),
    "on a joint prior": prior_of(CUT, bounded("d", Uniform(-5, 0.9), high="a")),
}
ALL = pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)


@ALL
def test_the_density_is_that_of_the_transform(prior):
    """The density is one over the determinant of the derivatives of the transform."""
    u = np.random.default_rng(1).uniform(0.02, 0.98, (200, len(prior.names)))
    step = 1e-6
    columns = [(prior.transform(u + e) - prior.transform(u - e)) / (2 * step) for e in step * np.eye(len(prior.names))]
    determinant = np.linalg.slogdet(np.stack(columns, axis=2))[1]
    np.testing.assert_allclose(prior.log_density(prior.transform(u)), -determinant, atol=2e-5)


@ALL
def test_the_slope_of_the_density_is_its_derivative(prior):
    theta = prior.transform(np.random.default_rng(2).uniform(0.1, 0.9, (50, len(prior.names))))
    found, step = prior.log_density_slope(theta), 1e-6
    for j, e in enumerate(step * np.eye(len(prior.names))):
        expected = (prior.log_density(theta + e) - prior.log_density(theta - e)) / (2 * step)
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-3, atol=1e-3)


@ALL
def test_a_gradient_is_carried_to_the_unit_cube(prior):
    """For f = the sum of w theta, the gradient by u is the derivative of f(transform(u))."""
    d = len(prior.names)
    u, weights, step = np.random.default_rng(3).uniform(0.05, 0.95, (50, d)), np.arange(1.0, d + 1), 1e-6
    found = prior.pullback(u, np.tile(weights, (50, 1)))
    for j, e in enumerate(step * np.eye(d)):
        expected = (prior.transform(u + e) - prior.transform(u - e)) @ weights / (2 * step)
        np.testing.assert_allclose(found[:, j], expected, rtol=1e-4, atol=1e-5)


@ALL
def test_draws_stay_in_the_support_and_outside_the_density_is_zero(prior):
    theta = prior.sample(500, np.random.default_rng(4))
    assert np.all(np.isfinite(prior.log_density(theta)))
    for j, parameter in enumerate(prior.free):
        low, high = parameter.prior.support
        assert np.all((theta[:, j] >= low) & (theta[:, j] <= high))
        for edge, step in ((low, -1e-3), (high, 1e-3)):
            if np.isfinite(edge):
                outside = theta[:1].copy()
                outside[0, j] = edge + step
                assert prior.log_density(outside)[0] == -np.inf
    assert prior.log_density(np.full((1, len(prior.names)), np.nan))[0] == -np.inf


@ALL
def test_the_table_of_a_prior_is_plain(prior):
    for block in prior.joint:
        table = block.table()
        assert table["parameters"] == list(block.names) and "distribution" in table


def test_a_correlated_normal_is_that_of_scipy():
    prior = PRIORS["normal"]
    theta = prior.sample(100_000, np.random.default_rng(5))[:, [prior.names.index(n) for n in "abc"]]
    np.testing.assert_allclose(np.cov(theta.T), COVARIANCE, atol=0.03)
    np.testing.assert_allclose(theta.mean(axis=0), MEAN, atol=0.03)
    expected = stats.multivariate_normal(MEAN, COVARIANCE).logpdf(theta[:50])
    np.testing.assert_allclose(NORMAL.log_density(theta[:50], np.zeros((50, 0))), expected, rtol=1e-10)


def test_far_bounds_leave_a_normal_as_it_is():
    far = NORMAL.truncated({"a": (-3.0, 5.0), "b": (-6.0, 2.0)})
    u = np.random.default_rng(6).random((100, 3))
    np.testing.assert_allclose(far.transform(u, u[:, :0]), NORMAL.transform(u, u[:, :0]), rtol=1e-9)


def test_an_ordered_prior_is_flat_where_the_parameters_increase():
    theta = PRIORS["ordered"].sample(50_000, np.random.default_rng(7))
    assert np.all(np.diff(theta, axis=1) >= 0)
    expected = np.sort(np.random.default_rng(8).uniform(2, 6, (50_000, 3)), axis=1)
    for ours, theirs in zip(theta.T, expected.T, strict=True):
        assert stats.ks_2samp(ours, theirs).pvalue > 0.001
    assert PRIORS["ordered"].log_density(np.array([[3.0, 2.5, 4.0]]))[0] == -np.inf


def test_a_bound_that_is_a_parameter_leaves_the_prior_of_that_parameter():
    theta = PRIORS["uniform above another"].sample(20_000, np.random.default_rng(9))
    a, b = theta[:, 0], theta[:, 1]
    assert stats.kstest(a, stats.uniform(0, 3).cdf).pvalue > 0.001
    assert stats.kstest((b - a) / (5 - a), stats.uniform().cdf).pvalue > 0.001


def test_the_posterior_of_a_run_is_reproduced_with_its_curve_and_its_walls():
    """Quantiles agree within 4 % of the standard deviation, and 1 % leak through the walls."""
    samples, weight = banana()
    theta = PRIORS["banana"].sample(40_000, np.random.default_rng(12))
    chosen = np.random.default_rng(0).choice(len(samples), 40_000, p=weight / weight.sum())
    for ours, theirs in zip(theta.T, samples[chosen].T, strict=True):
        found, expected = (np.quantile(x, [0.025, 0.16, 0.5, 0.84, 0.975]) for x in (ours, theirs))
        np.testing.assert_allclose(found, expected, atol=0.04 * theirs.std())
    residual = theta[:, 1] - 0.5 * theta[:, 0] ** 2
    assert np.std(residual) == pytest.approx(0.3, abs=0.12)
    assert np.mean((theta[:, 2] < 0) | (theta[:, 2] > 5)) < 0.01


def test_the_same_samples_give_the_same_prior():
    again = PosteriorPrior.of(("a", "b", "c"), *banana(), 3_000.0)
    assert again == BANANA and hash(again) == hash(BANANA)
    u = np.random.default_rng(0).random((20, 3))
    np.testing.assert_array_equal(again.transform(u, u[:, :0]), BANANA.transform(u, u[:, :0]))


TWO = ("a", "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CorrelatedNormal(TWO, (0, 0), [[1, 0.2]]), r"the covariance has the shape \(1, 2\), but 'a', 'b'"),
        (lambda: CorrelatedNormal(TWO, (0, 0, 0), np.eye(2)), r"the mean has the shape \(3,\)"),
        (lambda: CorrelatedNormal(TWO, (0, np.nan), np.eye(2)), "the mean must be finite"),
        (lambda: CorrelatedNormal(TWO, (0, 0), [[1, 2], [2, 1]]), "not positive definite: the lowest eigenvalue"),
        (lambda: CorrelatedNormal(TWO, (0, 0), [[1, 0.2], [0.3, 1]]), "of 'a' and 'b' is not symmetric"),
        (lambda: CorrelatedNormal(TWO, (0, 0), [[1, 0], [0, -1]]), "variances above 0"),
        (lambda: CorrelatedNormal(("a", "a"), (0, 0), np.eye(2)), "each once"),
        (lambda: CorrelatedNormal.of_correlation(TWO, (0, 0), (1, 1), [[1, 0], [0, 2]]), "ones on its diagonal"),
        (lambda: CorrelatedNormal.of_correlation(TWO, (0, 0), (1, 0), np.eye(2)), "std must be finite and above 0"),
        (lambda: CorrelatedNormal(TWO, (0, 0), [[1], [0, 1]]), "in rows of one length"),
        (lambda: NORMAL.truncated({"a": (50.0, 40.0)}), "nothing in common"),
        (lambda: ORDERED.truncated({"a": (3.0, 5.0)}), "narrow its low and high"),
        (lambda: bounded("b", Normal(0, 1), low="a"), "possible for 'log_uniform', 'truncated_normal', 'uniform', not"),
        (lambda: bounded("b", Uniform(0, 1), low="b"), "'b' cannot be its own bound"),
        (lambda: prior_of(bounded("b", Uniform(0, 2), low="a"), a=Uniform(0, 3)), "reaches 3, above 2"),
        (lambda: prior_of(bounded("b", Uniform(1, 2), high="a"), a=Uniform(0, 3)), "begins at 0, below 1"),
        (
            lambda: prior_of(bounded("b", Uniform(0, 2), low="aa"), a=Uniform(0, 3)),
            "'aa' is no parameter.*Did you mean 'a'",
        ),
        (lambda: prior_of(bounded("b", Uniform(0, 2), low="a"), a=Fixed(1.0)), "'a' is fixed, but the prior of 'b'"),
        (
            lambda: prior_of(bounded("a", Uniform(0, 2), low="b"), bounded("b", Uniform(0, 2), high="a")),
            "form a circle: a -> b -> a",
        ),
        (
            lambda: prior_of(bounded("b", Uniform(0, 2), low="a", high="c"), a=Uniform(0, 2), c=Uniform(0, 2)),
            "which may be in the other order",
        ),
        (lambda: prior_of(NORMAL, ORDERED), "joint prior"),
        (lambda: Prior((Parameter("b", Uniform(0, 1)), Parameter("c", Uniform(0, 1)), Parameter("a", Uniform(0, 1))),
                       (NORMAL,)), "'a' has a prior of its own and a joint prior"),
        (lambda: PosteriorPrior.of(("a",), np.zeros((500, 1)), np.ones(500), 500.0), "'a': its samples hardly differ"),
        (lambda: PosteriorPrior.of(("a",), np.zeros((50, 1)), np.ones(50), 50.0), "50 effective samples are too few"),
    ],
)  # fmt: skip
def test_a_wrong_joint_prior_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_prior_that_is_no_product_has_no_slopes():
    with pytest.raises(ConfigurationError, match="possible for independent priors only, but those of 'a', 'b', 'c'"):
        PRIORS["normal"].slope(np.full((1, 4), 0.5))
