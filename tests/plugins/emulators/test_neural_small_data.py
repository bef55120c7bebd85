"""Training where the data are few or partly undefined: the emulator must not come out as NaN.

One network of four neurons, one epoch: nothing is learnt here.
"""

from __future__ import annotations

import numpy as np
import pytest

from astroemu.core.array_namespace import NUMPY
from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.errors import DataError
from astroemu_plugins.emulators.neural import NeuralEmulator

#: Keras 3.15 reads its own variables in a way that NumPy 2 announces to drop.
KERAS = "default:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
SETTINGS = {
    "transforms": {"filled": {"transform": "fraction"}, "power": {"transform": "log10"}},
    "validation_points": 40,
    "test_points": 40,
    "networks": {"all": {"outputs": ["filled", "power"], "hidden": [4], "epochs": 1, "batch_size": 32}},
}


def data(**changed):
    theta = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    values = {"filled": 1 / (1 + np.exp(-4 * theta)), "power": 10.0**theta} | changed
    axes = (Axis("x", np.arange(2.0)),)
    return TrainingSet(("a", "b"), theta, {name: Observable(name, axes) for name in values}, values)


def trained(training_set):
    return NeuralEmulator.train(training_set, SETTINGS, seed=1, log=lambda _: None)


def predictions(emulator):
    rows = {name: np.arange(2) for name in ("filled", "power")}
    return emulator.evaluator(rows)(np.random.default_rng(1).uniform(-0.9, 0.9, (50, 2)), {}, NUMPY)


@pytest.mark.filterwarnings(KERAS)
def test_a_fraction_has_an_error_even_with_few_test_points():
    """Its error is that of all outputs where one alone has too few points between 0 and 1."""
    for prediction in predictions(trained(data())).values():
        assert np.all(np.isfinite(prediction.value)) and np.all(np.isfinite(prediction.error))
        assert np.all(prediction.error > 0)


@pytest.mark.filterwarnings(KERAS)
def test_an_output_that_is_defined_nowhere_is_refused_or_left_out():
    """A spin temperature after reionization, say: all NaN. It may not make a likelihood NaN silently."""
    nowhere = 10.0 ** np.random.default_rng(2).uniform(-1, 1, (200, 2))
    nowhere[:, 1] = np.nan
    try:
        found = predictions(trained(data(power=nowhere)))
    except DataError as error:
        assert "'power'" in str(error)
        return
    assert np.all(np.isfinite(found["power"].value[:, 0])) and np.all(np.isfinite(found["power"].error[:, 0]))
    assert np.all(np.isfinite(found["filled"].value))
