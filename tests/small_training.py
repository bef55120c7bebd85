"""A small training problem: its data, its settings, and emulators that are trained on it in about a second."""

from __future__ import annotations

import numpy as np

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.emulation.transforms import Fraction, Log10
from astroemu_plugins.emulators.neural import NeuralEmulator
from astroemu_plugins.training.targets import Targets

Z = Axis("z", np.linspace(5.0, 12.0, 8))
#: Errors of the data, for the loss chi2.
ERRORS = {"x": {"absolute": 0.05}, "power": {"fractional": 0.1}}


def data(n=1200):
    """A fraction ``x (8,)`` and a power spectrum ``power (8, 3)`` of two parameters in [-1, 1]."""
    rng = np.random.default_rng(2)
    theta = rng.uniform(-1, 1, (n, 2))
    x = 1 / (1 + np.exp(-(Z.values - 8 - 2 * theta[:, :1])))
    k = np.array([0.1, 1.0, 10.0])
    power = 10 ** (theta[:, 1, None, None] + x[:, :, None] * k**0.2)
    observables = {"x": Observable("x", (Z,)), "power": Observable("power", (Z, Axis("k", k)), "mK^2")}
    return TrainingSet(("a", "b"), theta, observables, {"x": x, "power": power})


def settings(epochs=3, **network):
    """The table ``[training]`` of one network of both observables."""
    small = {"hidden": [16, 16], "epochs": epochs, "batch_size": 64}
    return {
        "transforms": {"x": {"transform": "fraction"}, "power": {"transform": "log10"}},
        "validation_points": 200,
        "test_points": 200,
        "networks": {"all": {"outputs": ["x", "power"], **small, **network}},
    }


def trained(epochs=3, seed=1, folder=None, points=None, **network):
    """Return an emulator that was trained on the data."""
    quiet = {"seed": seed, "log": lambda _: None, "folder": folder}
    return NeuralEmulator.train(points or data(), settings(epochs, **network), **quiet)


def targets(n=50):
    """Return the data and what a network of both observables is trained on."""
    points = data(n)
    return points, Targets(points, ["x", "power"], [Fraction(), Log10()], np.arange(n))
