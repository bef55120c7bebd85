"""Designs fill the box evenly."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.distributions import Fixed, LogUniform, Normal, TruncatedNormal, Uniform
from astroemu.core.parameter import Parameter
from astroemu.core.prior import Prior
from astroemu.emulation.design import design
from astroemu.errors import ConfigurationError

KINDS = ("sobol", "latin_hypercube")
CUBE = Prior(tuple(Parameter(name, Uniform(0, 1)) for name in "abc"))
MIXED = Prior(
    (
        Parameter("a", Uniform(-2, 6)),
        Parameter("b", Fixed(0.3)),
        Parameter("c", LogUniform(1e-2, 1e4)),
        Parameter("d", Normal(1, 2)),
    )
)


@pytest.mark.parametrize("kind", (*KINDS, "sobol_edges"))
@pytest.mark.parametrize("n", [1, 2, 5, 64, 100])
def test_as_many_points_as_asked_for_lie_in_the_box(kind, n):
    points = design(kind, CUBE, n, seed=1)
    assert points.shape == (n, 3)
    assert np.all((points >= 0) & (points <= 1))
    assert len(np.unique(points, axis=0)) == n


@pytest.mark.parametrize("kind", (*KINDS, "sobol_edges"))
def test_the_seed_decides(kind):
    first, again, other = (design(kind, CUBE, 32, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)


@pytest.mark.parametrize(
    ("kind", "n"), [("sobol", 64), ("sobol", 1024), ("latin_hypercube", 64), ("latin_hypercube", 75)]
)
def test_every_stratum_of_every_parameter_holds_one_point(kind, n):
    strata = np.floor(design(kind, CUBE, n, seed=3) * n).astype(int)
    np.testing.assert_array_equal(np.sort(strata, axis=0), np.tile(np.arange(n)[:, None], 3))


@pytest.mark.parametrize("kind", KINDS)
def test_an_even_design_integrates_better_than_chance(kind):
    points = design(kind, CUBE, 256, seed=4)
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=2e-3)  # 0.018 for random points
    np.testing.assert_allclose((points**2).mean(axis=0), 1 / 3, atol=2e-3)


@pytest.mark.parametrize("kind", ["sobol", "sobol_edges"])
@pytest.mark.parametrize(("n", "more"), [(1, 2), (5, 8), (8, 16), (33, 500)])
def test_the_first_points_of_a_sobol_design_do_not_change_when_it_grows(kind, n, more):
    np.testing.assert_array_equal(design(kind, CUBE, n, 5), design(kind, CUBE, more, 5)[:n])


def test_half_of_the_points_are_drawn_towards_the_edges():
    points = design("sobol_edges", CUBE, 4096, seed=2)
    near = (points < 0.01) | (points > 0.99)
    arcsine = 4 / np.pi * np.arcsin(np.sqrt(0.01))
    np.testing.assert_allclose(near.mean(axis=0), 0.5 * (0.02 + arcsine), atol=2e-3)


def test_an_unknown_design_is_refused():
    with pytest.raises(ConfigurationError, match=r"'sobl'.*Did you mean 'sobol'"):
        design("sobl", CUBE, 8, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_points_follow_the_prior_and_leave_fixed_parameters_out(kind):
    from scipy import stats

    points = design(kind, MIXED, 128, seed=6)
    assert points.shape == (128, 3)
    parts = (stats.uniform(-2, 8), stats.loguniform(1e-2, 1e4), stats.norm(1, 2))
    for column, part in zip(points.T, parts, strict=True):
        np.testing.assert_array_equal(np.sort(np.floor(part.cdf(column) * 128)), np.arange(128))


CORE = Prior((Parameter("b", TruncatedNormal(0.3, 0.02)),))


@pytest.mark.parametrize("kind", (*KINDS, "sobol_edges"))
def test_half_of_the_points_follow_the_core_and_the_rest_of_them_the_prior(kind):
    points = design(kind, CUBE, 4096, seed=7, core=CORE)
    near = np.abs(points[:, 1] - 0.3) < 0.06  # 3 standard deviations; 12 % of an even design
    even = 0.12 if kind != "sobol_edges" else 0.12 / 2 + (_arcsine(0.36) - _arcsine(0.24)) / 2
    assert near.mean() == pytest.approx(0.5 * 0.9973 + 0.5 * even, abs=0.01)
    np.testing.assert_allclose(points[near][:, [0, 2]].mean(axis=0), 0.5, atol=0.02)


def test_the_share_of_the_core_can_be_stated():
    points = design("sobol", CUBE, 4096, seed=7, core=CORE, core_share=0.8)
    near = np.abs(points[:, 1] - 0.3) < 0.06
    assert near.mean() == pytest.approx(0.8 * 0.9973 + 0.2 * 0.12, abs=0.01)


def _arcsine(u: float) -> float:
    return float(2 / np.pi * np.arcsin(np.sqrt(u)))


def test_a_core_stays_inside_the_box():
    wide = Prior((Parameter("a", Normal(1.0, 5.0)),))
    points = design("sobol", CUBE, 512, seed=8, core=wide)
    assert np.all((points >= 0) & (points <= 1))


def test_a_core_that_fixes_a_parameter_or_lies_outside_the_box_is_refused():
    fixed = Prior((Parameter("a", Uniform(0, 1)), Parameter("b", Fixed(0.5))))
    with pytest.raises(ConfigurationError, match="fixes 'b'"):
        design("sobol", CUBE, 8, seed=1, core=fixed)
    with pytest.raises(ConfigurationError, match=r"core of the design, 'a'.*nothing in common"):
        design("sobol", CUBE, 8, seed=1, core=Prior((Parameter("a", Uniform(2, 3)),)))


def test_a_core_that_names_no_parameter_is_refused():
    with pytest.raises(ConfigurationError, match=r"core of the design has 'bb'.*Did you mean 'b'"):
        design("sobol", CUBE, 8, seed=1, core=Prior((Parameter("bb", Uniform(0, 1)),)))
