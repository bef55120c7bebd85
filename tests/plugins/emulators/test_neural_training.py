"""Training on a function that is known: stated error, same weights from the same seed, clear errors."""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import ConfigurationError, DataError
from astroemu_plugins.emulators.neural import NeuralEmulator

# TensorFlow and Keras warn about their own dependencies when they are imported.
pytestmark = pytest.mark.filterwarnings("default")

SETTINGS = {
    "name": "waves",
    "transforms": {"filled": {"transform": "fraction"}, "power": {"transform": "log10"}},
    "validation_points": 500,
    "test_points": 500,
    "networks": {
        "history": {"outputs": ["filled"], "hidden": [32, 32], "epochs": 20, "batch_size": 64, "learning_rate": 5e-3},
        "power": {
            "outputs": ["power", "wave"],
            "features": ["filled"],
            "hidden": [32, 32],
            "epochs": 20,
            "batch_size": 64,
            "learning_rate": 5e-3,
        },
    },
}


def waves(n=3000, **constant):
    rng = np.random.default_rng(0)
    theta = rng.uniform(-1, 1, (n, 2))
    for name, value in constant.items():
        theta[:, "ab".index(name)] = value
    x = np.linspace(0, 1, 5)
    filled = 1 / (1 + np.exp(-6 * (theta[:, :1] + x - 0.5)))
    power = 10 ** (theta[:, 1:] + np.sin(2 * x) * theta[:, :1] + filled)
    wave = np.sin(2 * theta[:, :1] + x)
    wave[::7, 2] = np.nan
    axes = (Axis("x", x),)
    observables = {name: Observable(name, axes) for name in ("filled", "power", "wave")}
    return TrainingSet(("a", "b"), theta, observables, {"filled": filled, "power": power, "wave": wave})


@pytest.fixture(scope="module")
def trained():
    return [NeuralEmulator.train(waves(), SETTINGS, seed=3, log=lambda _: None) for _ in range(2)]


def test_it_learns_what_it_is_shown(trained):
    metrics = trained[0].provenance["metrics"]
    assert metrics["history"]["filled"]["absolute_q95"] < 0.03
    assert metrics["power"]["power"]["fractional_q95"] < 0.3  # of two decades
    assert metrics["power"]["wave"]["absolute_q95"] < 0.15


def test_the_stated_error_covers_two_thirds_of_new_points(trained):
    theta = np.random.default_rng(9).uniform(-0.99, 0.99, (2000, 2))
    from astroemu.core.array_namespace import NUMPY

    found = trained[0].evaluator({"power": np.arange(5)})(theta, {}, NUMPY)["power"]
    x = np.linspace(0, 1, 5)
    filled = 1 / (1 + np.exp(-6 * (theta[:, :1] + x - 0.5)))
    truth = 10 ** (theta[:, 1:] + np.sin(2 * x) * theta[:, :1] + filled)
    assert 0.6 < np.mean(np.abs(found.value - truth) < found.error) < 0.76


def test_the_seed_decides_every_weight(trained):
    for key, network in trained[0].networks.items():
        for ours, theirs in zip(network.layers.kernels, trained[1].networks[key].layers.kernels, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_file_says_how_it_was_made(trained):
    provenance = trained[0].provenance
    assert provenance["split"]["train"] == 2000 and len(provenance["split"]["sha256_of_order"]) == 64
    assert provenance["settings"]["networks"]["power"]["features"] == ["filled"]
    assert "tensorflow" in provenance["versions"]["backend"]


def changed(**networks):
    return {**SETTINGS, "networks": {**SETTINGS["networks"], **networks}}


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (waves(), changed(more={"outputs": ["powr"]}), "'powr'.*Did you mean 'power'"),
        (waves(), changed(more={"outputs": ["power"], "inputs": ["q"]}), "parameter 'q'"),
        (waves(), changed(more={"outputs": ["power"], "activation": "swish"}), "activation"),
        (waves(), changed(more={"outputs": ["power"], "epoch": 3}), "Did you mean 'epochs'"),
        (waves(), {**SETTINGS, "networks": {"power": SETTINGS["networks"]["power"]}}, "no network before it gives"),
        (waves(1050), SETTINGS, "fewer than one batch of 64"),
        (waves(a=0.5), SETTINGS, "'a'.*constant"),
        (waves(), {**SETTINGS, "transforms": {"wave": {"transform": "log10"}}}, "positive"),
    ],
)
def test_what_cannot_be_trained_is_refused(data, settings, message):
    with pytest.raises((ConfigurationError, DataError), match=message):
        NeuralEmulator.train(data, settings, seed=1, log=lambda _: None)
