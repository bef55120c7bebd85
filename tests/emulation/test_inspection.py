"""A look at a training set: every fault that is put in is found, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.inspection import duplicated, inspect, outlier_score, stated_box
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError
from astroemu.report.emulator_tables import inspection_table

X = np.linspace(0, 1, 6)
BOX = {"a": {"low": 0.0, "high": 1.0}, "b": {"low": -1.0, "high": 1.0}}


def smooth(n=800, *, metadata=None, seed=0):
    rng = np.random.default_rng(seed)
    theta = np.column_stack([rng.uniform(0, 1, n), rng.uniform(-1, 1, n)])
    wave = 1 + np.sin(3 * theta[:, :1] + X) + 0.3 * theta[:, 1:]
    power = 10 ** (2 * theta[:, :1] + theta[:, 1:] * X)
    axes = (Axis("x", X),)
    observables = {"wave": Observable("wave", axes), "power": Observable("power", axes), "sum": Observable("sum")}
    values = {"wave": wave, "power": power, "sum": theta.sum(axis=1)}
    return TrainingSet(("a", "b"), theta, observables, values, {"parameters": BOX} if metadata is None else metadata)


def test_a_sound_set_has_nothing_to_remark_on():
    found = inspect(smooth())
    assert found["points"] == 800 and found["duplicates"] == 0 and found["remarks"] == []
    assert found["parameters"]["a"]["coverage"] == 1.0 and found["pairs"]["coverage"] > 0.95
    assert found["observables"]["wave"]["outputs"] == 6 and found["observables"]["sum"]["outputs"] == 1
    assert found["observables"]["power"]["max"] == pytest.approx(smooth().values["power"].max())
    assert "Nothing to remark on" in inspection_table(found)


def test_every_fault_is_found():
    data = smooth()
    theta, values = data.theta.copy(), {name: v.copy() for name, v in data.values.items()}
    theta[3] = theta[2]
    theta[4, 0] = np.nan
    theta[5, 1] = 1.5
    values["wave"][6, 2] = np.nan
    values["power"][7, 0] = np.inf
    values["power"][8] *= 1e6
    values["sum"][9] = -0.5 if values["sum"][9] > 0 else 0.5
    values["wave"][:, 5] = 2.0
    found = inspect(TrainingSet(data.names, theta, data.observables, values, data.metadata))
    assert found["duplicates"] == 1
    assert found["parameters"]["a"]["not_finite"] == 1 and found["parameters"]["b"]["outside_box"] == 1
    wave, power = found["observables"]["wave"], found["observables"]["power"]
    assert (wave["nan_points"], wave["constant_outputs"], power["infinite_points"]) == (1, 1, 1)
    assert next(iter(power["farthest"])) == 8 and power["farthest"][8] > 20
    assert found["observables"]["sum"]["negative_points"] > 0
    text = inspection_table(found)
    for words in (
        "repeat",
        "a: 1 point(s) are not finite",
        "b: 1 point(s) lie outside",
        "power: 1 point(s) are infinite",
    ):
        assert words in text


def test_constant_and_unevenly_drawn_parameters():
    data = smooth()
    theta = data.theta.copy()
    theta[:, 1] = 0.25
    theta[:, 0] *= 0.5
    found = inspect(TrainingSet(data.names, theta, data.observables, data.values, data.metadata))
    assert found["parameters"]["b"]["constant"] and "b is constant" in " ".join(found["remarks"])
    assert found["parameters"]["a"]["coverage"] == pytest.approx(0.5)
    assert "50 % of its range holds no point" in " ".join(found["remarks"])


def test_a_corner_without_points_shows_in_the_plane_only():
    data = smooth(3000)
    kept = ~((data.theta[:, 0] > 0.5) & (data.theta[:, 1] > 0))
    found = inspect(data.subset(kept))
    assert found["parameters"]["a"]["coverage"] == found["parameters"]["b"]["coverage"] == 1.0
    assert found["pairs"] == {"names": ["a", "b"], "coverage": pytest.approx(0.75, abs=0.02)}


def test_without_a_stated_box_that_of_the_points_counts():
    found = inspect(smooth(metadata={}))
    assert all(p["outside_box"] == 0 and p["coverage"] == 1.0 for p in found["parameters"].values())


def test_the_first_of_equal_points_is_no_duplicate():
    data = smooth(10)
    twice = TrainingSet(
        data.names,
        np.concatenate([data.theta, data.theta[:3]]),
        data.observables,
        {name: np.concatenate([v, v[:3]]) for name, v in data.values.items()},
    )
    assert np.flatnonzero(duplicated(twice)).tolist() == [10, 11, 12]


def test_few_points_have_no_outliers():
    assert np.all(np.isnan(outlier_score(smooth(20), "wave")))


def test_nothing_but_nan_is_survived():
    data = smooth(50)
    values = {**data.values, "sum": np.full(50, np.nan)}
    found = inspect(TrainingSet(data.names, data.theta, data.observables, values, data.metadata))
    assert found["observables"]["sum"]["min"] is None and found["observables"]["sum"]["undefined_outputs"] == 1
    inspection_table(found)


@pytest.mark.attack("inspect", "no points; the infinite box of a normal prior; zeros of both signs")
def test_odd_but_legal_sets_are_inspected():
    theta = np.array([[0.0, 1.0], [-0.0, 1.0], [0.5, 2.0]])
    box = {"a": {"low": -np.inf, "high": np.inf}, "b": {"low": 0.0, "high": np.inf}}
    odd = TrainingSet(("a", "b"), theta, {"y": Observable("y")}, {"y": theta[:, 0]}, {"parameters": box})
    found = inspect(odd)
    assert found["duplicates"] == 1 and found["parameters"]["a"]["outside_box"] == 0
    assert stated_box(odd) == {"a": (0.0, 0.5), "b": (0.0, 2.0)}
    with pytest.raises(DataError, match="no points"):
        inspect(odd.subset(np.zeros(3, dtype=bool)))
