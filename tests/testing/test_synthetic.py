"""Synthetic predictions: the kit finds the peak of a likelihood and its width without a model."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import StubProbe
from scipy.special import log_ndtr

from astroemu.core.array_namespace import NUMPY
from astroemu.core.distributions import Uniform
from astroemu.core.panel import Panel
from astroemu.core.parameter import Parameter
from astroemu.core.requirement import Requirement
from astroemu.testing.findings import Skipped
from astroemu.testing.synthetic import _MOST_NODES, Grid, fiducial, likelihood, middle, nuisance_at, spread

AT = Requirement("y", {"x": np.array([1.0, 2.0, 4.0])}, "mK")


def gaussian(mean, sigma):
    return lambda values: -0.5 * np.sum(((values - mean) / sigma) ** 2, axis=1)


@pytest.mark.parametrize("mean", [-3e4, 0.0, 2e-7, 12.0])
def test_the_peak_is_found_to_the_step_of_the_search(mean):
    probe = StubProbe(AT, gaussian(mean, max(abs(mean), 1e-9)))
    (found,) = fiducial(probe).values()
    assert found.shape == (3,) and np.all(found == found[0])
    assert found[0] == pytest.approx(mean, rel=0.16, abs=1e-10)  # an eighth of a decade


def test_two_requirements_are_moved_together_where_the_likelihood_is_zero():
    class Both(StubProbe):
        @property
        def requires(self):
            return {"a": AT, "b": AT}

        def log_likelihood(self, predictions, parameters, xp):
            a, b = (predictions[key].value[:, 0] for key in "ab")
            return xp.where((a > 1) & (b > 1), -0.5 * (a - 10.0) ** 2 - 0.5 * (b - 10.0) ** 2, -np.inf)

    found = fiducial(Both(AT))
    assert found["a"][0] == pytest.approx(10.0, rel=0.16) and found["b"][0] == pytest.approx(10.0, rel=0.16)


def test_the_width_lowers_the_likelihood_by_two():
    probe = StubProbe(AT, gaussian(5.0, 0.3))
    centre = {"it": np.full(3, 5.0)}
    step = spread(probe, centre)["it"]
    assert 2.0 < 0.5 * 3 * (step / 0.3) ** 2 < 2.0 * 10**0.25  # the first step of an eighth of a decade beyond two


def test_a_likelihood_without_data_has_no_width():
    with pytest.raises(Skipped, match="hardly depends on the required values"):
        spread(StubProbe(AT, lambda values: np.zeros(len(values))), {"it": np.zeros(3)})


def test_nuisance_parameters_follow_their_priors():
    probe = StubProbe(AT, parameters=(Parameter("p", Uniform(2.0, 4.0)), Parameter("q", Uniform(-1.0, 0.0))))
    found = nuisance_at(probe, np.array([[0.0, 0.5], [1.0, 1.0]]))
    assert found["p"].tolist() == [2.0, 4.0] and found["q"].tolist() == [-0.5, 0.0]
    assert {name: values.tolist() for name, values in middle(probe, 2).items()} == {"p": [3.0, 3.0], "q": [-0.5, -0.5]}


def test_the_likelihood_is_called_as_by_the_engine():
    probe = StubProbe(AT, gaussian(0.0, 1.0), parameters=(Parameter("p", Uniform(2.0, 4.0)),))
    values, error = np.ones((2, 3)), np.full((2, 3), 0.1)
    assert likelihood(probe, {"it": values}, middle(probe, 2), {"it": error}).tolist() == [-1.5, -1.5]
    assert probe.seen.error.tolist() == error.tolist() and probe.nuisance["p"].tolist() == [3.0, 3.0]
    assert not any(array.flags.writeable for array in (probe.seen.value, probe.seen.error, probe.nuisance["p"]))


def test_each_requirement_has_a_width_of_its_own():
    class Both(StubProbe):
        @property
        def requires(self):
            return {"a": AT, "b": AT}

        def log_likelihood(self, predictions, parameters, xp):
            a, b = (predictions[key].value[:, 0] for key in "ab")
            return -0.5 * ((a - 100.0) / 10.0) ** 2 - 0.5 * ((b - 1e-3) / 1e-5) ** 2

    steps = spread(Both(AT), {"a": np.full(3, 100.0), "b": np.full(3, 1e-3)})
    assert steps["a"] == pytest.approx(20.0, rel=0.4) and steps["b"] == pytest.approx(2e-5, rel=0.4)


def test_a_positive_quantity_starts_at_a_positive_value():
    """An upper limit is best fitted by minus infinity; its panel shows that only positive values are meant."""

    class Limit(StubProbe):
        def panels(self):
            x, none = np.array([1.0, 2.0, 4.0]), np.zeros(3)
            return (Panel("a limit", "x", "y", x, np.full(3, 7.0), none, none, ("upper",) * 3, AT, curve_x=x),)

    probe = Limit(AT, lambda values: np.sum(log_ndtr(3.0 - values), axis=1))
    assert fiducial(probe)["it"].tolist() == [0.0, 0.0, 0.0]


def test_the_grid_gives_its_level_at_every_coordinate():
    probe = StubProbe(AT)
    grid = Grid(probe, {"it": np.full(3, 5.0)})
    observable = grid.provides["y"]
    assert observable.unit == "mK" and set(AT.at["x"]) <= set(observable.axes[0].values) and observable.size >= 6
    rows = {"y": np.arange(observable.size)}
    found = grid.evaluator(rows)(np.array([[0.0], [0.25]]), {}, NUMPY)["y"].value
    assert np.all(found[0] == 5.0) and np.all(found[1] == 5.25)
    np.testing.assert_allclose(found @ AT.matrix(observable).T, [[5.0] * 3, [5.25] * 3])


def test_a_long_axis_is_thinned_to_its_ends():
    long = Requirement("y", {"x": np.arange(5000.0)}, "mK", rule={"x": "spline"})
    grid = Grid(StubProbe(long), {"it": np.full(5000, 1.0)})
    nodes = grid.provides["y"].axes[0].values
    assert len(nodes) == _MOST_NODES and nodes[0] == 0 and nodes[-1] == 4999
    np.testing.assert_allclose(long.matrix(grid.provides["y"]).sum(axis=1), 1.0)  # constants stay what they are
