"""The distance of points from the training points of an emulator."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from helpers import gapped_emulator, uniform

from astroemu.emulation.coverage import TrainingCoverage, thin_points, training_coverage
from astroemu.emulation.design import design
from astroemu.emulation.loading import load_emulator
from astroemu.errors import DataError


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
    few = thin_points(points, 100)
    assert len(few) == 100 and len(np.unique(few, axis=0)) == 100
    np.testing.assert_array_equal(few, thin_points(points, 100))
    assert thin_points(points, 500) is points


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
    return gapped_emulator(tmp_path)


def test_training_keeps_points_in_the_file(trained):
    emulator = load_emulator(str(trained))
    assert emulator.training_points.shape[1] == 2 and np.all(np.abs(emulator.training_points - 0.5) <= 0.5)
    known = training_coverage(emulator)
    assert np.all(known.distance(np.array([[0.8, 0.8], [0.9, 0.7]])) > 1.0)
    assert np.mean(known.distance(emulator.training_points) < 1e-6) == 1.0


def test_points_of_another_shape_are_refused(trained):
    with h5py.File(trained, "r+") as file:
        del file["training_points"]
        file["training_points"] = np.zeros((10, 3), dtype=np.uint16)
    with pytest.raises(DataError, match=r"training_points has the shape \(10, 3\)"):
        load_emulator(str(trained))
