"""The inverse model on a problem whose posterior mean is known."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import command

from astroemu import load_emulator
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu_plugins.emulators.inverse import InverseModel

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("without_xla")]

X = np.linspace(-1, 1, 6)
NETWORK = {"hidden": [32, 32], "epochs": 10, "batch_size": 64, "learning_rate": 5e-3}
SETTINGS = {"summaries": ["line"], "validation_points": 300, "test_points": 300, "network": NETWORK}


def data(n=4000):
    theta = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    line = theta[:, :1] + theta[:, 1:] * X
    observables = {"line": Observable("line", (Axis("x", X),)), "other": Observable("other")}
    metadata = {"parameters": {name: {"low": -1.0, "high": 1.0, "latex": name} for name in "ab"}}
    return TrainingSet(("a", "b"), theta, observables, {"line": line, "other": theta[:, 0]}, metadata)


@pytest.fixture(scope="module")
def inverse(without_xla):
    return InverseModel.train(data(), SETTINGS, seed=1, log=lambda _: None)


def test_it_finds_the_parameters(inverse):
    theta = np.random.default_rng(1).uniform(-0.9, 0.9, (50, 2))
    found = inverse.infer({"line": theta[:, :1] + theta[:, 1:] * X})
    np.testing.assert_allclose(found["a"], theta[:, 0], atol=0.06)
    np.testing.assert_allclose(found["b"], theta[:, 1], atol=0.06)


@pytest.mark.slow
def test_with_noise_it_finds_the_mean_of_the_posterior():
    noise = 2.0
    network = {**NETWORK, "epochs": 10, "batch_size": 1024}
    settings = {**SETTINGS, "noise": {"line": noise}, "copies": 10, "parameters": ["a"], "network": network}
    found = InverseModel.train(data(), settings, seed=1, log=lambda _: None)
    assert tuple(found.provides) == ("a",)
    line = np.array([[1.5] * 6, [0.0] * 6])
    grid = np.linspace(-1, 1, 401)
    a, b = np.meshgrid(grid, grid, indexing="ij")
    for row, mean in zip(line, found.infer({"line": line})["a"], strict=True):
        chi2 = sum((y - a - b * x) ** 2 for y, x in zip(row, X, strict=True)) / noise**2
        weight = np.exp(-0.5 * (chi2 - chi2.min()))
        assert mean == pytest.approx(np.sum(weight * a) / np.sum(weight), abs=0.08)


def test_the_file_and_the_validation(inverse, tmp_path):
    inverse.save(tmp_path / "inverse.h5")
    again = load_emulator(tmp_path / "inverse.h5")
    line = {"line": np.zeros((1, 6))}
    assert again.infer(line)["a"] == inverse.infer(line)["a"]
    data(500).save(tmp_path / "set.h5")
    arguments = [str(tmp_path / "inverse.h5"), "--data", str(tmp_path / "set.h5"), "--out", str(tmp_path / "v")]
    code, said, message = command("validate", *arguments)
    assert code == 0, message
    assert "a absolute" in " ".join(said.split()) and (tmp_path / "v" / "agreement.png").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"summaries": ["lin"]}, "summaries: no 'lin'. Did you mean 'line'"),
        ({"parameters": ["c"]}, "parameters: no 'c'"),
        ({"noise": {"lines": 1.0}}, "noise: no 'lines'"),
        ({"transforms": {"line": {"transform": "log11"}}}, "transforms.line.*log10"),
        ({"network": {"epoch": 3}}, "Did you mean 'epochs'"),
    ],
)
def test_wrong_settings_are_named(changed, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        InverseModel.train(data(), {**SETTINGS, **changed}, seed=1, log=lambda _: None)


@pytest.mark.parametrize(
    ("summaries", "message"),
    [
        ({}, "'line' is missing"),
        ({"line": np.zeros((2, 5))}, r"\(2, 5\)"),
        ({"line": np.full((1, 6), np.nan)}, "finite"),
    ],
)
def test_wrong_summaries_are_refused(inverse, summaries, message):
    with pytest.raises(DataError, match=message):
        inverse.infer(summaries)
