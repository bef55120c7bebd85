"""How far points lie from the training points of an emulator."""

from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest
from helpers import TAU, Stub, uniform

from astroemu.core.observable import Observable
from astroemu.emulation.coverage import TrainingCoverage, thinned, training_coverage
from astroemu.emulation.design import design
from astroemu.emulation.loading import load_emulator
from astroemu.emulation.recipe import Recipe
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError, FarFromTrainingWarning
from astroemu.inference.training_distance import distance_from_training, warn_if_far
from astroemu.model.model import Model
from astroemu.sampling.samples import Samples
from astroemu_probes.optical_depth import OpticalDepth

RECIPE = """
emulator = "polynomial"

[parameters]
a = { distribution = "uniform", low = 0.0, high = 2.0 }
b = { distribution = "uniform", low = -1.0, high = 1.0 }

[training]
degree = 2
"""


def test_a_hole_in_the_training_points_is_far():
    rng = np.random.default_rng(1)
    points = rng.random((2000, 3))
    points = points[np.linalg.norm(points - 0.5, axis=1) > 0.3]
    known = TrainingCoverage(points)
    inside = points[:200] + 1e-3
    assert np.mean(known.distance(inside[np.all(inside < 1, axis=1)]) > 1) == 0.0
    assert np.all(known.distance(0.5 + 0.05 * rng.standard_normal((50, 3))) > 2.0)
    fresh = rng.random((2000, 3))
    fresh = fresh[np.linalg.norm(fresh - 0.5, axis=1) > 0.35]
    assert np.mean(known.distance(fresh) > 1) == pytest.approx(0.05, abs=0.03)


def test_thinning_draws_the_same_points_again():
    points = np.random.default_rng(2).random((500, 2))
    few = thinned(points, 100)
    assert len(few) == 100 and len(np.unique(few, axis=0)) == 100
    np.testing.assert_array_equal(few, thinned(points, 100))
    assert thinned(points, 500) is points


def test_an_emulator_without_its_points_makes_its_design_again():
    emulator = load_emulator("cmb_background")
    assert emulator.training_points is None
    known = training_coverage(emulator)
    box = emulator.provenance["simulation"]["parameters"]
    prior = uniform(**{name: (row["low"], row["high"]) for name, row in box.items()})
    theta = design("sobol", prior, 512, 1)[:, [prior.names.index(name) for name in emulator.parameters]]
    np.testing.assert_allclose(known.distance(emulator.unit(theta)), 0.0, atol=1e-9)


def test_one_whose_design_is_not_known_has_none():
    emulator = load_emulator("cmb_background")
    emulator.provenance = {**emulator.provenance, "simulation": {}}
    assert training_coverage(emulator) is None


@pytest.fixture
def trained(tmp_path):
    """An emulator whose training points leave a corner empty."""
    rng = np.random.default_rng(3)
    theta = rng.uniform([0, -1], [2, 1], (600, 2))
    theta = theta[~((theta[:, 0] > 1) & (theta[:, 1] > 0))]
    box = {
        "a": {"low": 0.0, "high": 2.0, "unit": "", "latex": ""},
        "b": {"low": -1.0, "high": 1.0, "unit": "", "latex": ""},
    }
    tau = Observable("tau_e")
    data = TrainingSet(("a", "b"), theta, {"tau_e": tau}, {"tau_e": 0.05 + 0.01 * theta[:, 0]}, {"parameters": box})
    (tmp_path / "recipe.toml").write_text(RECIPE)
    Recipe(tmp_path / "recipe.toml").train(data, log=lambda _: None).save(tmp_path / "tau.h5")
    return tmp_path / "tau.h5"


def test_training_keeps_points_in_the_file_and_a_posterior_in_the_gap_is_warned_of(trained):
    emulator = load_emulator(str(trained))
    assert emulator.training_points.shape[1] == 2 and np.all(np.abs(emulator.training_points - 0.5) <= 0.5)
    model = Model(uniform(a=(0.0, 2.0), b=(-1.0, 1.0)), {"tau": emulator}, {"tau": OpticalDepth()})
    rng = np.random.default_rng(4)
    gap, whole = rng.uniform([1.2, 0.2], [1.9, 0.9], (400, 2)), rng.uniform([0, -1], [1, 1], (400, 2))
    assert (
        distance_from_training(model, gap)["tau"]["share"] > 0.6
        and distance_from_training(model, whole)["tau"]["share"] < 0.15
    )

    def samples(theta):
        zero = np.zeros(len(theta))
        return Samples(model.names, theta, zero, zero, zero, "x", 400.0, True, "", 400)

    with pytest.warns(FarFromTrainingWarning, match="of the posterior lies farther from the training points of 'tau'"):
        warn_if_far(model, samples(gap))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_far(model, samples(whole))


def test_points_of_another_shape_are_refused(trained):
    with h5py.File(trained, "r+") as file:
        del file["training_points"]
        file["training_points"] = np.zeros((10, 3), dtype=np.uint16)
    with pytest.raises(DataError, match=r"training_points has the shape \(10, 3\)"):
        load_emulator(str(trained))


def test_providers_that_were_not_trained_are_left_out():
    model = Model(uniform(t=(0.0, 0.1)), {"stub": Stub(("t",), {TAU: lambda x: x[:, 0]})}, {"tau": OpticalDepth()})
    assert distance_from_training(model, np.full((5, 1), 0.05)) == {}
