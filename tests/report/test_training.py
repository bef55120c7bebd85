"""Figures of a training set."""

from __future__ import annotations

import numpy as np
from matplotlib import image

from astroemu.core.observable import Axis, Observable
from astroemu.emulation.training_set import TrainingSet
from astroemu.report.training import _latex, _middle, draw_observable

POWER = Observable(
    "power", (Axis("z", np.array([6.0, 7.0, 8.0])), Axis("k", np.array([0.1, 0.2, 0.4]), "1/Mpc")), "mK^2"
)
NUMBER = Observable("number")


def training_set():
    theta = np.random.default_rng(1).random((40, 2))
    power = np.exp(5 * theta[:, 0])[:, None, None] * np.ones((3, 3))
    box = {"a": {"low": 0.0, "high": 1.0, "latex": r"\alpha", "unit": "keV"}, "b": {"low": 0.0, "high": 1.0}}
    values = {"power": power, "number": theta[:, 1]}
    return TrainingSet(("a", "b"), theta, {"power": POWER, "number": NUMBER}, values, {"parameters": box})


def test_a_grid_is_cut_in_the_middle_of_the_other_axes():
    values = np.arange(18.0).reshape(2, 3, 3)
    cut, words = _middle(POWER, values)
    np.testing.assert_array_equal(cut, values[:, :, 1])
    assert words == ", k = 0.2 1/Mpc"
    assert _middle(NUMBER, np.arange(2.0))[1] == ""


def test_labels_have_symbols_and_units():
    assert _latex(training_set(), "a") == r"$\alpha$ [keV]" and _latex(training_set(), "b") == "b"


def test_every_observable_is_drawn(tmp_path):
    for name in ("power", "number"):
        draw_observable(training_set(), name, tmp_path / f"{name}.png")
        assert image.imread(tmp_path / f"{name}.png")[:, :, :3].std() > 0.01
