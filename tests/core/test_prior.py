"""The joint prior: columns by name and order, without the fixed values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.errors import ConfigurationError

A = Parameter("a", Uniform(2, 6))
B = Parameter("b", Fixed(0.3))
C = Parameter("c", LogUniform(1e-2, 1e2))
D = Parameter("d", Normal(-1, 2))
PRIOR = Prior((A, B, C, D))


def test_fixed_parameters_are_part_of_the_prior_but_no_columns():
    assert PRIOR.names == ("a", "c", "d")
    assert PRIOR.free == (A, C, D)
    assert PRIOR.fixed == {"b": 0.3}
    assert PRIOR.parameters == (A, B, C, D)


def test_the_order_of_the_columns_is_that_of_the_parameters():
    u = np.array([[0.25, 0.5, 0.75], [0.0, 1.0, 0.5]])
    swapped = Prior((D, C, A))
    assert swapped.names == ("d", "c", "a")
    np.testing.assert_array_equal(swapped.transform(u[:, ::-1])[:, ::-1], PRIOR.transform(u))


def test_the_unit_cube_maps_to_the_quantiles_of_each_parameter():
    u = np.random.default_rng(0).random((20, 3))
    expected = [
        stats.uniform(2, 4).ppf(u[:, 0]),
        stats.loguniform(1e-2, 1e2).ppf(u[:, 1]),
        stats.norm(-1, 2).ppf(u[:, 2]),
    ]
    np.testing.assert_allclose(PRIOR.transform(u), np.transpose(expected), rtol=1e-9)


def test_the_density_is_the_product_of_those_of_the_free_parameters():
    theta = PRIOR.sample(20, np.random.default_rng(1))
    parts = [stats.uniform(2, 4), stats.loguniform(1e-2, 1e2), stats.norm(-1, 2)]
    expected = sum(part.logpdf(column) for part, column in zip(parts, theta.T, strict=True))
    np.testing.assert_allclose(PRIOR.log_density(theta), expected, rtol=1e-9)


@pytest.mark.parametrize("column", [0, 1])
def test_one_column_outside_makes_the_whole_density_zero(column):
    theta = np.tile([3.0, 1.0, -1.0], (3, 1))
    theta[1, column] = -5.0
    np.testing.assert_array_equal(np.isneginf(PRIOR.log_density(theta)), [False, True, False])


def test_plain_lists_and_empty_batches_are_points_too():
    np.testing.assert_allclose(PRIOR.transform([[0.5, 0.5, 0.5]]), [[4.0, 1.0, -1.0]])
    assert PRIOR.log_density([[4, 1, -1]]).shape == (1,)
    assert PRIOR.transform(np.empty((0, 3))).shape == (0, 3)
    assert PRIOR.log_density(np.empty((0, 3))).shape == (0,)


def test_samples_follow_the_prior_and_repeat_with_their_generator():
    theta = PRIOR.sample(4000, np.random.default_rng(2))
    assert theta.shape == (4000, 3)
    np.testing.assert_array_equal(theta, PRIOR.sample(4000, np.random.default_rng(2)))
    for column, part in zip(
        theta.T, (stats.uniform(2, 4), stats.loguniform(1e-2, 1e2), stats.norm(-1, 2)), strict=True
    ):
        assert stats.kstest(column, part.cdf).pvalue > 1e-3


def test_truncation_is_by_name_and_leaves_the_others():
    cut = PRIOR.truncated({"d": (-3, 3), "a": (0, 4), "b": (0, 1), "elsewhere": (0, 1)})
    assert [p.prior for p in cut.parameters] == [Uniform(2, 4), B.prior, C.prior, TruncatedNormal(-1, 2, -3, 3)]
    assert cut.names == PRIOR.names


def test_truncation_keeps_labels_and_units():
    parameter = Parameter("a", Uniform(0, 4), r"\alpha", "keV")
    (cut,) = Prior((parameter,)).truncated({"a": (1, 2)}).parameters
    assert cut == Parameter("a", Uniform(1, 2), r"\alpha", "keV")


@pytest.mark.parametrize("box", [{"a": (7, 8)}, {"b": (1, 2)}, {"c": (-2, 0)}])
def test_truncation_to_nothing_is_refused(box):
    with pytest.raises(ConfigurationError):
        PRIOR.truncated(box)


def test_further_parameters_come_last():
    assert PRIOR.merged([Parameter("e", Uniform(0, 1))]).names == ("a", "c", "d", "e")
    assert PRIOR.merged([]) == PRIOR
    with pytest.raises(ConfigurationError, match="'c' is given twice"):
        PRIOR.merged([Parameter("c", Uniform(0, 1))])


def test_a_name_given_twice_is_refused_even_if_fixed():
    with pytest.raises(ConfigurationError, match="'b' is given twice"):
        Prior((A, B, Parameter("b", Uniform(0, 1))))


@pytest.mark.parametrize("parameters", [(), (B,)])
def test_a_prior_with_nothing_to_infer_is_refused(parameters):
    with pytest.raises(ConfigurationError, match="nothing to infer"):
        Prior(parameters)


def test_parameters_are_found_by_name_the_fixed_ones_too():
    assert PRIOR["c"] is C
    assert PRIOR["b"] is B


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        PRIOR["z"]


def test_a_prior_knows_which_names_it_holds():
    assert "a" in PRIOR
    assert "b" in PRIOR
    assert "z" not in PRIOR


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40))
def test_rows_do_not_know_of_each_other(seed, n):
    prior = Prior((A, B, Parameter("c", TruncatedNormal(0.0, 1.0, -1.0, 3.0)), Parameter("d", LogUniform(0.1, 1e3))))
    rng = np.random.default_rng(seed)
    u, order = rng.random((n, 3)), rng.permutation(n)
    theta = prior.transform(u)
    assert np.all(np.isfinite(prior.log_density(theta)))
    np.testing.assert_allclose(prior.transform(u[order]), theta[order], rtol=1e-14)
    np.testing.assert_allclose(prior.log_density(theta[order]), prior.log_density(theta)[order], rtol=1e-14)
    alone = np.concatenate([prior.log_density(row[None]) for row in theta])
    np.testing.assert_allclose(alone, prior.log_density(theta), rtol=1e-14)


def test_the_derivatives_are_those_of_finite_differences():
    u, step = np.random.default_rng(4).uniform(0.05, 0.95, (20, 3)), 1e-6
    theta = PRIOR.transform(u)
    np.testing.assert_allclose(
        PRIOR.slope(u), (PRIOR.transform(u + step) - PRIOR.transform(u - step)) / (2 * step), rtol=1e-5
    )
    for j in range(3):
        shift = step * np.eye(3)[j] * theta[:, j : j + 1]
        change = PRIOR.log_density(theta + shift) - PRIOR.log_density(theta - shift)
        expected = change / (2 * shift[:, j])
        np.testing.assert_allclose(PRIOR.log_density_slope(theta)[:, j], expected, rtol=1e-5, atol=1e-8)
