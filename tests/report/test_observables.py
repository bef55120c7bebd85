"""The figure of every observable of a model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from helpers import TAU, UV_LF, X_HI, Stub, StubProbe, uniform
from matplotlib import image

from astroemu.core.observable import Axis, Observable
from astroemu.core.requirement import Requirement
from astroemu.model.model import Model
from astroemu.report.observables import _slices, _within, draw_observables


def test_curves_lie_at_a_few_values_of_the_first_axis():
    assert _slices(X_HI)[0][:2] == (None, "")
    chosen = _slices(UV_LF)
    assert [index for index, _, _ in chosen] == [0, 1, 2, 3] and chosen[0][1] == "z = 6"
    long = Observable("y", (Axis("k", np.arange(1.0, 101.0), "1/Mpc"), Axis("z", np.arange(3.0))))
    assert [text for _, text, _ in _slices(long)] == ["k = 1 1/Mpc", "k = 34 1/Mpc", "k = 67 1/Mpc", "k = 100 1/Mpc"]


def test_the_axis_of_a_logarithm_leaves_extreme_values_out():
    limits = []
    axis = SimpleNamespace(set_ylim=lambda low, high: limits.append((low, high)))
    _within(axis, np.concatenate([np.full((50, 1), -300.0), np.tile(np.linspace(-5.0, -1.0, 20), (50, 1))], axis=1))
    ((low, high),) = limits
    assert -6.0 < low < -4.0 and -1.0 < high < 0.0


def test_all_but_large_observables_are_drawn(tmp_path):
    large = Observable("large", (Axis("x", np.arange(30_000.0)),))
    functions = {
        TAU: lambda theta: theta[:, 0],
        X_HI: lambda theta: np.repeat(theta, 84, axis=1),
        UV_LF: lambda theta: np.repeat(-3.0 - theta, UV_LF.size, axis=1),
        large: lambda theta: np.repeat(theta, 30_000, axis=1),
    }
    prior, theta = uniform(tau=(0.0, 0.2)), np.linspace(0.01, 0.1, 60)[:, None]

    def model(functions, probe):
        return Model(prior, {"stub": Stub(("tau",), functions)}, {"probe": probe})

    probe = StubProbe(Requirement("tau_e"))
    few = {observable: function for observable, function in functions.items() if observable is not large}
    assert draw_observables(model(few, probe), theta, tmp_path / "sky.png") is True
    assert image.imread(tmp_path / "sky.png")[:, :, :3].std() > 0.02
    only = StubProbe(Requirement("large", {"x": np.array([3.0])}))
    assert draw_observables(model({large: functions[large]}, only), theta, tmp_path / "none.png") is False
    assert not (tmp_path / "none.png").exists()
