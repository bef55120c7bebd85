"""An ensemble: its mean, its calibrated spread, its file."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from astroemu import load_emulator
from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import AstroemuError, ConfigurationError
from astroemu_plugins.emulators.ensemble import EnsembleEmulator

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]

MEMBER = {
    "validation_points": 200,
    "test_points": 200,
    "networks": {"all": {"outputs": ["y"], "hidden": [16, 16], "epochs": 7, "batch_size": 64, "learning_rate": 1e-2}},
}
SETTINGS = {"name": "four", "members": 4, "calibration_points": 500, "member": MEMBER}
X = np.linspace(0, 1, 4)


def truth(theta):
    return np.sin(3 * theta[:, :1] + X) + 0.3 * theta[:, 1:] ** 2


def data(n=2000):
    theta = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    box = {name: {"low": -1.0, "high": 1.0} for name in "ab"}
    y = Observable("y", (Axis("x", X),))
    return TrainingSet(("a", "b"), theta, {"y": y}, {"y": truth(theta)}, {"parameters": box})


@pytest.fixture(scope="module")
def ensemble(without_xla):
    return EnsembleEmulator.train(data(), SETTINGS, seed=1, log=lambda _: None)


def test_the_prediction_is_the_mean_of_the_members(ensemble):
    theta = np.random.default_rng(1).uniform(-0.9, 0.9, (20, 2))
    members = np.stack([member.predict(theta)["y"] for member in ensemble.members])
    assert np.all(members.std(axis=0) > 0)
    np.testing.assert_allclose(ensemble.predict(theta)["y"], members.mean(axis=0), rtol=1e-12)
    found = ensemble.evaluator({"y": np.array([2])})(theta, {}, NUMPY)["y"]
    expected = ensemble.factors["y"][2] * members[:, :, 2].std(axis=0, ddof=1)
    np.testing.assert_allclose(found.error[:, 0], expected, rtol=1e-4)


def test_it_is_better_than_its_members(ensemble):
    theta = np.random.default_rng(2).uniform(-0.95, 0.95, (2000, 2))
    rms = [np.sqrt(np.mean((e.predict(theta)["y"] - truth(theta)) ** 2)) for e in (ensemble, *ensemble.members)]
    assert rms[0] < np.median(rms[1:])


def test_two_thirds_of_the_errors_lie_within_the_stated_one(ensemble):
    theta = np.random.default_rng(3).uniform(-1, 1, (3000, 2))
    found = ensemble.evaluator({"y": np.arange(4)})(theta, {}, NUMPY)["y"]
    assert np.mean(np.abs(found.value - truth(theta)) < found.error) == pytest.approx(0.68, abs=0.05)


def test_the_file_gives_the_same_back(ensemble, tmp_path):
    ensemble.save(tmp_path / "four.h5")
    again = load_emulator(tmp_path / "four.h5")
    assert isinstance(again, EnsembleEmulator) and len(again.sources["four"]) == 64
    theta = np.zeros((1, 2))
    np.testing.assert_array_equal(again.predict(theta)["y"], ensemble.predict(theta)["y"])
    np.testing.assert_array_equal(again.factors["y"], ensemble.factors["y"])


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: f.__delitem__("members/3"),
        lambda f: f["members/3"].attrs.modify("emulator", "nosuch"),
        lambda f: f.__delitem__("factors/y"),
        lambda f: f.attrs.modify("observables", "[]"),
    ],
)
def test_a_damaged_file_is_refused(ensemble, damage, tmp_path):
    ensemble.save(tmp_path / "four.h5")
    with h5py.File(tmp_path / "four.h5", "r+") as file:
        damage(file)
    with pytest.raises(AstroemuError, match=r"four\.h5"):
        load_emulator(tmp_path / "four.h5")


def test_settings_are_checked():
    with pytest.raises(ConfigurationError, match="Did you mean 'members'"):
        EnsembleEmulator.train(data(), {**SETTINGS, "member_s": 2}, seed=1)
    with pytest.raises(ConfigurationError, match="calibration_points = 500, but there are 400"):
        EnsembleEmulator.train(data(400), SETTINGS, seed=1)
