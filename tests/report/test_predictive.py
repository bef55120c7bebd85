"""Posterior predictive figures: bands of the model over the data of a probe."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from helpers import TAU, Stub, StubProbe, uniform

from astroemu.core.panel import Panel
from astroemu.core.requirement import Requirement
from astroemu.model.model import Model
from astroemu.report.predictive import _curve, _floor, _visible, draw_predictive


def panel(**changed):
    data = {
        "title": "",
        "x_label": "",
        "y_label": "",
        "x": np.array([1.0, 2.0, 3.0]),
        "y": np.array([1.0, 2.0, 4.0]),
        "error_low": np.array([0.5, 3.0, 0.0]),
        "error_high": np.array([0.5, 3.0, 0.0]),
        "kind": ("measurement", "measurement", "upper"),
        "curve": Requirement("tau_e"),
    }
    return Panel(**data | changed)


def test_a_probe_without_panels_has_no_figure(tmp_path):
    stub = Stub(("tau",), {TAU: lambda theta: theta[:, 0]})
    model = Model(uniform(tau=(0.0, 0.2)), {"stub": stub}, {"plain": StubProbe(Requirement("tau_e"))})
    assert draw_predictive(model, "plain", np.full((10, 1), 0.05), tmp_path / "none.png") is False
    assert not (tmp_path / "none.png").exists()


def test_error_bars_end_above_zero_on_a_logarithmic_axis():
    rows = np.array([True, True, False])
    np.testing.assert_allclose(_visible(panel(y_log=True), rows), [0.5, 0.999 * 2.0])
    np.testing.assert_allclose(_visible(panel(), rows), [0.5, 3.0])


def test_a_logarithmic_axis_holds_the_median_and_the_data():
    limits = []
    axis = SimpleNamespace(set_ylim=lambda low, high: limits.append((low, high)))
    values = np.array([[1e-9, 5.0], [0.5, 10.0], [0.6, 20.0]])
    _floor(axis, panel(y_log=True), values)
    assert limits == [(0.5 / 5, np.quantile(values[:, 1], 0.975) * 3)]


class Axis:
    """Records what is drawn."""

    def __init__(self):
        self.calls = {}
        self.xaxis = SimpleNamespace(set_major_locator=lambda _: None)

    def __getattr__(self, name):
        return lambda *arguments, **options: self.calls.setdefault(name, []).append((arguments, options))


@pytest.mark.case(29)
def test_a_model_of_one_bin_is_drawn():
    axis, values = Axis(), np.random.default_rng(1).normal(3.0, 0.1, (1000, 1))
    _curve(axis, panel(), np.array([-20.0]), values)
    assert len(axis.calls["vlines"]) == 2 and "fill_between" not in axis.calls
    x, low, high = axis.calls["vlines"][0][0]
    assert (x, low, high) == pytest.approx((-20.0, 2.804, 3.196), abs=0.03)
    assert axis.calls["plot"][0][1]["marker"] == "_"


@pytest.mark.attack("pictures", "a model curve that is NaN at some draws and everywhere at one coordinate")
@pytest.mark.filterwarnings("ignore:All-NaN")
def test_a_curve_that_is_undefined_at_some_draws_is_drawn():
    axis, values = Axis(), np.random.default_rng(1).normal(3.0, 0.1, (1000, 3))
    values[:500, 0], values[:, 2] = np.nan, np.nan
    _curve(axis, panel(y_log=True), np.array([1.0, 2.0, 3.0]), values)
    _, low, high = axis.calls["fill_between"][0][0]
    assert low[0] == pytest.approx(2.8, abs=0.03) and high[1] == pytest.approx(3.2, abs=0.03) and np.isnan(low[2])
    ((bottom, top), _) = axis.calls["set_ylim"][0]
    assert 0 < bottom < 1.0 and 9.0 < top < 13.0
